"""The same on the embedded default: SQLite and a broker of files."""

from functools import partial

from e2e.commands import WEB, WORKERS
from e2e.faults.of_kills import kill_child_repeatedly, kill_repeatedly
from e2e.faults.rows import EMBEDDED, ROWS, Row
from e2e.faults.stage import Stage

CONSUMER = ("consumer-web", "consumer-worker", "consumer-webhooks")
PRODUCER = ("producer-web", "producer-worker")


def outage(names: tuple[str, ...], stage: Stage) -> None:
    """Every process of one service stopped for 15 s, and started again."""
    stage.processes.stop(*names)
    stage.pause(15)
    stage.processes.start(*names)
    stage.ready(*names)


def add(name: str, act: "partial[None]") -> None:
    act.__doc__ = act.func.__doc__
    ROWS[name] = Row(name, act, stand=EMBEDDED)


for each in (*WEB, *WORKERS):
    add(f"embedded-kill-{each}", partial(kill_repeatedly, each))
add("embedded-kill-consumer-worker-child", partial(kill_child_repeatedly, "consumer-worker"))
add("embedded-consumer-stopped-15s", partial(outage, CONSUMER))
add("embedded-producer-stopped-15s", partial(outage, PRODUCER))
