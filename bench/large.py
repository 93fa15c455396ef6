"""What the past costs: `python -m bench.large`, on the PostgreSQL of BENCH_DATABASE_URL.

Fills both databases with a million orders, messages, results, attempts and keys. Then measures the
CPU of an order beside that of an empty system, in turn; the time of every list, page and admin
list; and shows the plan of each query that a worker asks again and again.
"""

import argparse
import json
import statistics
import subprocess
import sys
from functools import partial
from typing import Any

from bench import tables
from bench.load import Figures, Load, cpu_of
from e2e import environment
from e2e.stack import Stack

LIMIT = 50.0  # ms that a page may take
ORDERS, ROUNDS = 500, 3
WARM = 1500  # orders: after a checkpoint the first write to a page costs more
SHOWN = 15  # of the slowest pages


def ask(stack: Stack, service: str, module: str) -> list[dict[str, Any]]:
    """What a module prints that runs inside a service."""
    own = environment.of_services(stack.at, stack.secret)[service]
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=environment.ROOT / service,
        env=own | {"PYTHONPATH": str(environment.ROOT), "LOG_LEVEL": "WARNING"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def print_cpu(empty: Stack, large: Stack) -> None:
    """The CPU of an order in each, the rounds in turn, so that a drifting machine hits both."""
    stacks = {"empty": empty, "large": large}
    loads = {name: Load(stack) for name, stack in stacks.items()}
    for load in loads.values():
        load.run(WARM)
    rounds: dict[str, list[Figures]] = {name: [] for name in stacks}
    for _ in range(ROUNDS):
        for name, stack in stacks.items():
            spent = cpu_of(stack, partial(loads[name].run, ORDERS))
            rounds[name].append({part: s / ORDERS * 1000 for part, s in spent.items()})
    print("\nCPU ms an order, each round")
    medians = {}
    for name, found in rounds.items():
        each = [sum(parts.values()) for parts in found]
        medians[name] = statistics.median(each)
        print(f"  {name:8} {'  '.join(f'{value:5.1f}' for value in each)}")
    print(f"  large / empty {medians['large'] / medians['empty']:.2f} (aim: at most 1.10)")
    print("\nof it, the medians      empty  large")
    for part in rounds["empty"][0]:
        values = [statistics.median(parts[part] for parts in rounds[name]) for name in stacks]
        print(f"  {part:20} {values[0]:6.2f} {values[1]:6.2f}")


def print_pages(stack: Stack, service: str) -> None:
    pages = ask(stack, service, "bench.pages")
    failed = [page for page in pages if page["status"] >= 400]
    print(f"\n{service}: {len(pages)} pages")
    for kind in ("api", "admin"):
        found = [page for page in pages if page["address"].startswith(f"/{kind}/")]
        slow = sum(page["ms"] > LIMIT for page in found)
        slowest, queries = (max(page[key] for page in found) for key in ("ms", "queries_ms"))
        print(
            f"  /{kind}/: {len(found)}, {slow} over {LIMIT:.0f} ms, the slowest {slowest:.1f}; "
            f"a page's queries at most {queries:.1f} ms"
        )
    print("the slowest, in ms\n  whole    CPU queries  slowest query")
    for page in sorted(pages, key=lambda page: -page["ms"])[:SHOWN] + failed:
        times = f"{page['ms']:7.1f} {page['cpu_ms']:6.1f} {page['queries_ms']:7.1f}"
        name = " ".join(filter(None, (page["who"], page["address"][:110])))
        print(f"  {times}  {page['slowest_ms']:5.1f} {_short(page['slowest'])}\n        {name}")
        if page["status"] >= 400:
            print(f"        answered {page['status']}")


def _short(statement: str) -> str:
    """A query's end says more than the list of its columns."""
    _, found, rest = statement.partition(" FROM ")
    return (found.lstrip() + rest if found else statement)[:120]


def print_plans(stack: Stack, service: str) -> None:
    print(f"\n{service}: the plan of what its workers ask")
    for plan in ask(stack, service, "bench.plans"):
        print(f"  {plan['name']}: {plan['ms']:.1f} ms\n    " + "\n    ".join(plan["lines"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    if not tables.server():
        sys.exit("BENCH_DATABASE_URL must name a PostgreSQL server: postgres://user@host:5432/")
    with (
        tables.named("empty") as at_empty,
        tables.named("large") as at_large,
        Stack(**at_empty) as empty,
        Stack(**at_large, admin_password="not used") as large,
    ):
        tables.fill(at_large["producer_database"], "producer", rows)
        tables.fill(at_large["consumer_database"], "consumer", rows)
        measure(empty, large)


def measure(empty: Stack, large: Stack) -> None:
    for service in environment.SERVICES:
        print_pages(large, service)
        print_plans(large, service)
    print_cpu(empty, large)


if __name__ == "__main__":
    main()
