"""A steady load of orders on a stack of containers, and whether each came to its one end."""

import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import requests

from e2e.client import ORDER, Consumer, Json, Producer
from e2e.waiting import until

PAUSE = 0.05  # seconds between two orders


class Load:
    """One customer who posts an order after the other, each until it is answered with a 201.

    The same Idempotency-Key goes with every try, so that a customer's order is one order. `orders`
    are those that were accepted, `failures` counts the other answers by their status (0: none).
    """

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.orders: list[Json] = []
        self.failures: Counter[int] = Counter()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._post, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._ended.set()
        self._thread.join()

    def wait_for_more(self, count: int) -> None:
        """Wait until so many more orders were accepted. Raises TimedOut."""
        enough = len(self.orders) + count
        until(lambda: len(self.orders) >= enough, within=120, what=f"{count} more orders accepted")

    def _post(self) -> None:
        key = secrets.token_hex(8)
        while not self._ended.wait(PAUSE):
            try:
                self.orders.append(self.producer.post_order(ORDER, idempotency_key=key))
                key = secrets.token_hex(8)
            except requests.HTTPError as error:
                self.failures[error.response.status_code] += 1
            except requests.RequestException:
                self.failures[0] += 1


@contextmanager
def customer(origin: str) -> Iterator[Producer]:
    """A new customer of the producer, signed in."""
    # In other letters than the name: Django refuses a password that is like it.
    name, password = f"e2e-{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    with Producer(origin) as producer:
        producer.create_user(username=name, email=f"{name}@example.com", password=password)
        producer.sign_in(name, password)
        yield producer


def outcomes(producer: Producer, consumer: Consumer, posted: list[Json]) -> list[Json]:
    """Wait until all orders of this customer are settled and their results delivered.

    Returns a line for each posted order, of what both services have stored of it: {"status",
    "results": those of the producer, "tasks": those of the consumer}. Raises TimedOut.
    """
    since = {"created_after": posted[0]["created_at"]}
    until(
        lambda: not producer.orders(status="pending"),
        within=120,
        what="every order settled",
        every=0.3,
    )
    until(
        lambda: not [t for t in consumer.tasks(**since) if t["delivery"]["state"] != "delivered"],
        within=60,
        what="every result delivered",
        every=0.3,
    )
    orders = {order["uuid"]: order for order in producer.orders()}
    results, tasks = producer.task_results(), consumer.tasks(**since)
    return [
        {
            "status": orders[order["uuid"]]["status"],
            "results": [row["result"] for row in results if row["order"] == order["uuid"]],
            "tasks": [row["result"] for row in tasks if row["order_key"] == order["order_key"]],
        }
        for order in posted
    ]


def expected(posted: list[Json]) -> list[Json]:
    """What `outcomes` returns where every order was confirmed once."""
    results = [[f"{order['currency']}{order['order_key']}pending"] for order in posted]
    return [{"status": "confirmed", "results": result, "tasks": result} for result in results]
