"""CPU time by process, from Linux's /proc."""

import os
from collections import defaultdict
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SERVERS = {
    "postgres": "postgres",
    "beam.smp": "rabbitmq",
}  # by the command's name; the whole machine's


def cpu_seconds(roots: dict[str, int]) -> dict[str, float]:
    """Seconds so far of each root's process tree, and of PostgreSQL and RabbitMQ."""
    processes = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:  # it has ended
            continue
        command, fields = (
            text[text.index("(") + 1 : text.rindex(")")],
            text[text.rindex(")") + 2 :].split(),
        )
        seconds = sum(map(int, fields[11:15])) / TICKS
        processes[int(folder.name)] = (int(fields[1]), command, seconds)
    names = {pid: name for name, pid in roots.items()}
    spent: dict[str, float] = defaultdict(float)
    for pid, (_, command, seconds) in processes.items():
        ancestor = pid
        while ancestor in processes and ancestor not in names:
            ancestor = processes[ancestor][0]
        if ancestor in names:
            spent[names[ancestor]] += seconds
        elif command in SERVERS:
            spent[SERVERS[command]] += seconds
    return dict(spent)
