"""A limit on the memory of processes, by a control group of the kernel; it kills who exceeds it."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from e2e.waiting import until

GROUPS = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def limited(pids: Iterable[int], size: int) -> Iterator[Callable[[], int] | None]:
    """Hold processes, and those that they start, to so many bytes together.

    Gives a function that says how many the kernel has killed for it; None where it lets nobody make
    a group. The processes must have ended at the end.
    """
    group: Path | None = None
    try:
        group, limit, events = _make()
        (group / limit).write_text(str(size))
        for pid in pids:
            (group / "cgroup.procs").write_text(str(pid))
    except OSError:
        _remove(group)
        yield None
        return
    try:
        yield lambda: _kills(group / events)
    finally:
        until(lambda: _remove(group), within=20, what="the group's processes have ended")


def _make() -> tuple[Path, str, str]:
    """A new group, and the names of its files for the limit and for what came of it."""
    name = f"faults-{os.getpid()}"
    if (GROUPS / "memory").is_dir():
        group, files = GROUPS / "memory" / name, ("memory.limit_in_bytes", "memory.oom_control")
    else:
        (GROUPS / "cgroup.subtree_control").write_text("+memory")
        group, files = GROUPS / name, ("memory.max", "memory.events")
    group.mkdir()
    return (group, *files)


def _kills(events: Path) -> int:
    counts = dict(line.split() for line in events.read_text().splitlines())
    return int(counts["oom_kill"])


def _remove(group: Path | None) -> bool:
    with contextlib.suppress(OSError):
        if group is not None:
            group.rmdir()
        return True
    return False
