"""`make bench`: the project's own figures, as a table, and under bench/results/ as JSON and as a
plot.

Starts the whole stack (on PostgreSQL and RabbitMQ where BENCH_DATABASE_URL and BENCH_BROKER_URL
name them, on the embedded default otherwise), posts orders and waits until all are confirmed. CPU
is the operating system's account of each process, the steadiest figure on a noisy machine;
latencies come from the orders' own times.
"""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from bench import plot, tables
from bench.load import Figures, Load, cpu_of
from e2e.stack import Stack

RESULTS = Path(__file__).resolve().parent / "results"
CPU = "CPU ms an order"


def measure(stack: Stack, orders: int) -> dict[str, Figures]:
    load = Load(stack)
    load.run(200)  # warm
    figures: dict[str, Figures] = {}
    spent = cpu_of(stack, lambda: figures.update({"full speed": load.run(orders)}))
    figures["at rest"] = load.run(100, clients=1)
    figures["20 a second"] = load.run(300, rate=20)
    parts = {part: seconds / orders * 1000 for part, seconds in spent.items()}
    return {CPU: {"all": sum(parts.values()), **parts}, **figures}


def drawn(figures: dict[str, Figures], title: str) -> str:
    """Throughput, the CPU by part, the percentiles of each load."""
    speeds = {
        name: value for name, value in figures["full speed"].items() if name.endswith("a second")
    }
    charts = {("Orders", "a second, at full speed"): speeds, ("CPU", "ms an order"): figures[CPU]}
    for kind, heading in (("accept ms", "Time to accept"), ("confirm ms", "Time to confirm")):
        charts[heading, "ms"] = {
            f"{load}, {name.removeprefix(kind).strip()}": value
            for load, values in figures.items()
            for name, value in values.items()
            if name.startswith(kind)
        }
    return plot.draw(title, charts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=1000)
    options = parser.parse_args()
    with tables.named("figures") as at, Stack(**at) as stack:
        figures = measure(stack, options.orders)
    for name, values in figures.items():
        print(f"\n{name}")
        for key, value in values.items():
            print(f"  {key:32} {value:10.1f}")
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    path = RESULTS / f"{now:%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps(figures, indent=1))
    where = "PostgreSQL and its broker" if tables.server() else "SQLite and the embedded broker"
    path.with_suffix(".svg").write_text(drawn(figures, f"{now:%Y-%m-%d %H:%M} UTC, on {where}"))
    print(f"\nwritten to {path.relative_to(RESULTS.parent.parent)}, and as a plot to .svg")


if __name__ == "__main__":
    main()
