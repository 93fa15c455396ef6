"""A thin client of both services' APIs: each method is one call, answered by its JSON."""

from typing import Any, Self

import requests

from e2e.waiting import until

Json = dict[str, Any]

# The specification's own example.
ORDER: Json = {
    "address": "Ariana Nkhilet",
    "phone_number": "+21658741196",
    "total_paid": 50,
    "currency": "TND",
    "items": [
        {"item_name": "item1", "price": 20, "quantity": 1},
        {"item_name": "item2", "price": 30, "quantity": 1},
    ],
}


class Client:
    """Calls one service; an answer of 4xx or 5xx raises requests.HTTPError. One thread's own."""

    def __init__(self, origin: str, authorization: str = "") -> None:
        self.origin = origin
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy for the internet is none for this machine
        if authorization:
            self.session.headers["Authorization"] = authorization

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: Any) -> None:
        self.session.close()

    def call(self, method: str, path: str, **options: Any) -> Any:
        url = path if path.startswith("http") else f"{self.origin}/api/v1/{path}"
        response = self.session.request(method, url, timeout=20, **options)
        response.raise_for_status()
        return response.json() if response.content else None

    def pages(self, path: str, **query: str) -> list[Json]:
        """Every row of a list, of all its pages."""
        page = self.call("GET", path, params={"page_size": "100", **query})
        rows: list[Json] = page["results"]
        while page["next"]:
            page = self.call("GET", page["next"])
            rows += page["results"]
        return rows


class Producer(Client):
    """The producer, as a customer with a token."""

    def create_user(self, **account: str) -> Json:
        return self.call("POST", "users/create", json=account)

    def sign_in(self, username: str, password: str) -> str:
        """Take a token, and use it from now on."""
        answer = self.call("POST", "users/token", json={"username": username, "password": password})
        self.session.headers["Authorization"] = f"Token {answer['token']}"
        return answer["token"]

    def post_order(
        self, order: Json = ORDER, *, idempotency_key: str = "", request_id: str = ""
    ) -> Json:
        given = {"Idempotency-Key": idempotency_key, "X-Request-ID": request_id}
        headers = {name: value for name, value in given.items() if value}
        return self.call("POST", "data/orders/", json=order, headers=headers)

    def order(self, uuid: str) -> Json:
        return self.call("GET", f"data/orders/{uuid}/")

    def orders(self, **filters: str) -> list[Json]:
        return self.pages("data/orders/", **filters)

    def task_results(self) -> list[Json]:
        return self.pages("data/task-results/")

    def timeline(self, uuid: str) -> Json:
        return self.call("GET", f"data/orders/{uuid}/timeline/")

    def follow(self, uuid: str, *, within: float = 30) -> Json:
        """Wait until the order is no longer pending, and return it. Raises TimedOut."""

        def settled() -> Json | None:
            order = self.order(uuid)
            return order if order["status"] != "pending" else None

        return until(settled, within=within, what=f"order {uuid} settled")


class Consumer(Client):
    """The consumer, as a service with a key."""

    def task(self, task_id: str) -> Json:
        return self.call("GET", f"consumer/tasks/{task_id}/")

    def tasks(self, **filters: str) -> list[Json]:
        return self.pages("consumer/tasks/", **filters)
