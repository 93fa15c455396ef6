"""What the orders' tests share: who asks, what they post, and a consumer that answers by rote."""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.test import TestCase
from django.utils import timezone
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient
from rest_framework_api_key.models import APIKey

from chassis.http import Answer
from chassis.testing import ProblemAssertions
from orders import services
from orders.models import Order, OrderAPIKey, OrderStatus
from users.models import CustomUser

ORDERS = "/api/v1/data/orders/"
TASK_RESULTS = "/api/v1/data/task-results/"
TASK = "7d0ff7ad-9a4c-4f3c-a0a8-0f0b6d8f8d53"

# The example of the specification.
EXAMPLE: dict[str, Any] = {
    "address": "Ariana Nkhilet",
    "phone_number": "+21658741196",
    "total_paid": 50,
    "currency": "TND",
    "items": [
        {"item_name": "item1", "price": 20, "quantity": 1},
        {"item_name": "item2", "price": 30, "quantity": 1},
    ],
}


class JsonClient(APIClient):
    default_format = "json"


def client_with(authorization: str) -> JsonClient:
    client = JsonClient()
    client.credentials(HTTP_AUTHORIZATION=authorization)
    return client


def client_of(user: CustomUser) -> JsonClient:
    token, _ = Token.objects.get_or_create(user=user)
    return client_with(f"Token {token.key}")


def client_with_key(key: str) -> JsonClient:
    return client_with(f"Api-Key {key}")


def make_user(username: str = "amel", **values: Any) -> CustomUser:
    return CustomUser.objects.create_user(username, f"{username}@example.com", **values)


def make_order(user: CustomUser, **changes: Any) -> Order:
    """A pending order with two items, due to be sent now."""
    order, _ = services.place_order(user=user, data={**EXAMPLE, **changes})
    return order


def set_order(order: Order, **columns: Any) -> Order:
    Order.objects.filter(pk=order.pk).update(**columns)
    order.refresh_from_db()
    return order


def confirm(order: Order) -> Order:
    return set_order(order, status=OrderStatus.CONFIRMED)


def cancel(order: Order) -> Order:
    return set_order(order, status=OrderStatus.CANCELLED)


def make_service_key(**columns: Any) -> str:
    _, key = APIKey.objects.create_key(name="consumer", **columns)
    return str(key)


def make_order_key(order: Order, **columns: Any) -> str:
    _, key = OrderAPIKey.objects.create_key(name="webhook", order=order, **columns)
    return str(key)


def yesterday() -> dict[str, Any]:
    return {"expiry_date": timezone.now() - timedelta(days=1)}


def order_url(order: Order, what: str = "") -> str:
    return f"{ORDERS}{order.uuid}/{what}"


def webhook_url(order: Order) -> str:
    return order_url(order, "status/update")


def answer(status: int | None, body: Any = None, error: str = "") -> Answer:
    """What chassis.http would return; `body` as JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, content, {}, error, 3)


def unreached(error: str = "connection refused") -> Answer:
    return answer(None, b"", error)


def task_of(message: dict[str, Any]) -> str:
    """The task id that FakeConsumer gives a message: the same at every asking."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, message["message_id"]))


def accepted(messages: list[dict[str, Any]]) -> Answer:
    tasks = [{"task_id": task_of(message), "status": "PENDING"} for message in messages]
    return answer(202, tasks)


def refusal(status: int, **errors: str) -> Answer:
    """A problem whose `errors` are named by field; `_` stands for a dot in their names."""
    named = [{"field": k.strip("_").replace("_", "."), "message": v} for k, v in errors.items()]
    return answer(status, {"status": status, "detail": "No.", "errors": named})


class FakeConsumer:
    """Stands in for chassis.http.post: keeps what was posted, and answers as `reply` says."""

    def __init__(self, reply: Callable[[list[dict[str, Any]]], Answer] = accepted) -> None:
        self.reply = reply
        self.urls: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.lists: list[list[dict[str, Any]]] = []

    def __call__(self, url: str, *, body: bytes, headers: Any, **limits: Any) -> Answer:
        self.urls.append(url)
        self.headers.append(dict(headers))
        self.lists.append(json.loads(body))
        return self.reply(self.lists[-1])

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for posted in self.lists for message in posted]


class ConsumerMixin:
    """`self.consumer` answers what is posted while a test runs."""

    consumer: FakeConsumer

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        self.consumer = FakeConsumer()
        self.enterContext(patch("chassis.http.post", self.consumer))  # type: ignore[attr-defined]


class OrdersTestCase(ProblemAssertions, TestCase):
    """Two customers, one of them with a pending order."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.user = make_user()
        cls.other = make_user("ines")
        cls.order = make_order(cls.user)

    def setUp(self) -> None:
        super().setUp()
        self.client = client_of(self.user)
