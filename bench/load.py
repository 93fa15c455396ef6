"""Orders posted to a stack, and what became of them."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import requests

from bench.cpu import cpu_seconds
from e2e.client import ORDER

CLIENTS = 8
PATIENCE = 300  # seconds until all must be confirmed

Figures = dict[str, float]


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
        self,
        orders: int,
        *,
        clients: int = CLIENTS,
        rate: float | None = None,
        then: Callable[[], Any] = lambda: None,
    ) -> Figures:
        """Post `orders` from `clients` at once, at full speed or `rate` a second; wait for them.

        `then` is called as soon as the last is posted, before anything is asked for here: to read
        lists takes memory that orders do not.
        """
        since, start = datetime.now(UTC), time.monotonic()
        turns = [start + i / rate if rate else 0.0 for i in range(orders)]
        with ThreadPoolExecutor(clients) as pool:
            accepts = list(pool.map(self.post, turns))
        posted = time.monotonic() - start
        then()
        window = {"created_after": since.isoformat(), "status": "pending", "page_size": "100"}
        left = len(self.session.get(self.url, params=window).json()["results"])
        self._wait(since)
        total = time.monotonic() - start
        confirms = self._confirms(orders, since)
        return {
            "orders": orders,
            "accepted a second": orders / posted,
            "confirmed a second": orders / total,
            "pending when posting ends": left,  # up to 100
            "seconds until the last": total - posted,
            **_percentiles("accept ms", accepts),
            **_percentiles("confirm ms", confirms),
        }

    def _wait(self, since: datetime) -> None:
        """Until no order is pending."""
        pending = {"created_after": since.isoformat(), "status": "pending", "page_size": "1"}
        deadline = time.monotonic() + PATIENCE
        while self.session.get(self.url, params=pending).json()["results"]:
            if time.monotonic() > deadline:
                raise SystemExit(f"orders are still pending after {PATIENCE} s")
            time.sleep(0.1)

    def _confirms(self, orders: int, since: datetime) -> list[float]:
        """Seconds from each order's row to its confirmation."""
        window = {"created_after": since.isoformat(), "status": "confirmed", "page_size": "100"}
        found, page = [], self.session.get(self.url, params=window).json()
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


def cpu_of(stack: Any, act: Callable[[], Any]) -> Figures:
    """Seconds of CPU, by part, that something costs which is done to a stack."""
    before = cpu_seconds(stack.processes.pids())
    act()
    after = cpu_seconds(stack.processes.pids())
    return {part: after[part] - before.get(part, 0) for part in sorted(after)}
