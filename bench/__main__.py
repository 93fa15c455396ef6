"""`make bench`: the project's own figures, as a table and as JSON under bench/results/.

Starts the whole stack (on PostgreSQL and RabbitMQ where BENCH_DATABASE_URL and BENCH_BROKER_URL
name them, on the embedded default otherwise), posts orders and waits until all are confirmed. CPU
is the operating system's account of each process, the steadiest figure on a noisy machine;
latencies come from the orders' own times.
"""

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from bench.cpu import cpu_seconds
from e2e.client import ORDER
from e2e.stack import Stack

RESULTS = Path(__file__).resolve().parent / "results"
CLIENTS = 8
PATIENCE = 300  # seconds until all must be confirmed


class Load:
    """Orders posted to one stack, and what became of them."""

    def __init__(self, stack: Any) -> None:
        self.url = f"{stack.at.producer}/api/v1/data/orders/"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {stack.secret['user_token']}"
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=CLIENTS)
        self.session.mount("http://", adapter)

    def post(self, at: float = 0.0) -> float:
        """One order, not before `at` (monotonic); returns how long the answer took, in seconds."""
        time.sleep(max(0.0, at - time.monotonic()))
        start = time.monotonic()
        answer = self.session.post(self.url, json=ORDER, timeout=30)
        if answer.status_code != 201:
            raise SystemExit(f"an order was answered {answer.status_code}: {answer.text[:200]}")
        return time.monotonic() - start

    def run(
        self, orders: int, *, clients: int = CLIENTS, rate: float | None = None
    ) -> dict[str, Any]:
        """Post `orders` from `clients` at once, at full speed or `rate` a second; wait for them."""
        since, start = datetime.now(UTC), time.monotonic()
        turns = [start + i / rate if rate else 0.0 for i in range(orders)]
        with ThreadPoolExecutor(clients) as pool:
            accepts = list(pool.map(self.post, turns))
        posted = time.monotonic() - start
        confirms = self._wait(orders, since)
        total = time.monotonic() - start
        return {
            "orders": orders,
            "accepted a second": orders / posted,
            "confirmed a second": orders / total,
            **_percentiles("accept ms", accepts),
            **_percentiles("confirm ms", confirms),
        }

    def _wait(self, orders: int, since: datetime) -> list[float]:
        """Seconds from each order's row to its confirmation, once all are confirmed."""
        window = {"created_after": since.isoformat(), "page_size": "100"}
        deadline = time.monotonic() + PATIENCE
        while self.session.get(self.url, params={**window, "status": "pending"}).json()["results"]:
            if time.monotonic() > deadline:
                raise SystemExit(f"orders are still pending after {PATIENCE} s")
            time.sleep(0.1)
        found, page = (
            [],
            self.session.get(self.url, params={**window, "status": "confirmed"}).json(),
        )
        while True:
            found += page["results"]
            if not page["next"]:
                break
            page = self.session.get(page["next"]).json()
        if len(found) < orders:
            raise SystemExit(f"only {len(found)} of {orders} orders are confirmed")
        return [_time(row["updated_at"]) - _time(row["created_at"]) for row in found]


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    at = {p: ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))] for p in (50, 95, 99)}
    return {f"{name} p{p}": value * 1000 for p, value in at.items()}


def measure(stack: Any, orders: int) -> dict[str, dict[str, Any]]:
    load = Load(stack)
    load.run(200)  # warm
    before = cpu_seconds(stack.processes.pids())
    figures = {"full speed": load.run(orders)}
    after = cpu_seconds(stack.processes.pids())
    spent = {part: (after[part] - before.get(part, 0)) / orders * 1000 for part in after}
    figures["full speed"] |= {"CPU ms an order": sum(spent.values())}
    figures["full speed"] |= {f"  of it {part}": value for part, value in sorted(spent.items())}
    figures["at rest"] = load.run(100, clients=1)
    figures["20 a second"] = load.run(300, rate=20)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=1000)
    options = parser.parse_args()
    server = os.environ.get("BENCH_DATABASE_URL", "").rstrip("/")
    with Stack(
        producer_database=f"{server}/bench_producer" if server else "",
        consumer_database=f"{server}/bench_consumer" if server else "",
        broker=os.environ.get("BENCH_BROKER_URL", ""),
    ) as stack:
        figures = measure(stack, options.orders)
    for name, values in figures.items():
        print(f"\n{name}")
        for key, value in values.items():
            print(f"  {key:32} {value:10.1f}")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps(figures, indent=1))
    print(f"\nwritten to {path.relative_to(RESULTS.parent.parent)}")


if __name__ == "__main__":
    main()
