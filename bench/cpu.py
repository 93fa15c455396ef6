"""CPU time by process, from Linux's /proc."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
SERVERS = {  # by the command's name; the whole machine's
    "postgres": "postgres",
    "beam.smp": "rabbitmq",
}


class Process(NamedTuple):
    parent: int
    command: str
    seconds: float  # of CPU, so far, those of ended children included


def cpu_seconds(roots: dict[str, int]) -> dict[str, float]:
    """Seconds so far of each root's process tree, and of PostgreSQL and RabbitMQ."""
    processes = _processes()
    spent: dict[str, float] = defaultdict(float)
    for part, pid in _parts(processes, roots):
        spent[part] += processes[pid].seconds
    return dict(spent)


def trees(roots: dict[str, int]) -> dict[str, list[int]]:
    """The processes of each root's tree."""
    found: dict[str, list[int]] = defaultdict(list)
    for part, pid in _parts(_processes(), roots):
        if part in roots:
            found[part].append(pid)
    return dict(found)


def _parts(processes: dict[int, Process], roots: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Each process that belongs to a root, or to a server, and to which."""
    names = {pid: name for name, pid in roots.items()}
    for pid, process in processes.items():
        ancestor = pid
        while ancestor in processes and ancestor not in names:
            ancestor = processes[ancestor].parent
        if ancestor in names:
            yield names[ancestor], pid
        elif process.command in SERVERS:
            yield SERVERS[process.command], pid


def _processes() -> dict[int, Process]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:  # it has ended
            continue
        command = text[text.index("(") + 1 : text.rindex(")")]
        fields = text[text.rindex(")") + 2 :].split()
        seconds = sum(map(int, fields[11:15])) / TICKS
        found[int(folder.name)] = Process(int(fields[1]), command, seconds)
    return found
