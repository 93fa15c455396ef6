"""The memory of processes, from Linux's /proc: each one's own and its share of what is shared."""

from pathlib import Path

from bench.cpu import trees


def by_part(roots: dict[str, int]) -> dict[str, float]:
    """Megabytes (PSS) of each process below the roots, by part and its place in the tree."""
    found = {}
    for part, pids in trees(roots).items():
        for number, pid in enumerate(sorted(pids)):
            if megabytes := _pss(pid):
                found[f"{part}[{number}]"] = megabytes
    return found


def _pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
