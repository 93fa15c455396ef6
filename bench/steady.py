"""A constant rate for a while: `python -m bench.steady --rate 50 --minutes 10`.

How long orders take from their row to their confirmation, how many are not confirmed when posting
ends, and how much memory each process has after the first minute and at the end.
"""

import argparse
import threading
from typing import Any

from bench import tables
from bench.load import Load
from bench.memory import by_part
from e2e.stack import Stack

FIRST = 60.0  # seconds, after which memory should no longer grow


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50, help="orders a second")
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    with tables.named("steady") as at, Stack(**at) as stack:
        print_run(stack, options.rate, round(options.rate * options.minutes * 60))


def print_run(stack: Any, rate: float, orders: int) -> None:
    load, early, late = Load(stack), {}, {}
    roots = stack.processes.pids()
    timer = threading.Timer(FIRST, lambda: early.update(by_part(roots)))
    timer.start()
    figures = load.run(orders, rate=rate, clients=32, then=lambda: late.update(by_part(roots)))
    timer.cancel()
    for name, value in figures.items():
        print(f"{name:32} {value:10.1f}")
    if stack.processes.pids() != roots:
        print("a process was started again meanwhile")
    print(f"\n{'memory, MB':32} {'after 1 min':>12} {'at the end':>12} {'growth':>8}")
    for part, end in sorted(late.items()):
        start = early.get(part, end)
        print(f"{part:32} {start:12.1f} {end:12.1f} {(end / start - 1) * 100:7.1f}%")


if __name__ == "__main__":
    main()
