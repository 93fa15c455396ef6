"""The addresses of each service's API that `bench.pages` asks, and as whom."""

import os
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from e2e.environment import ADMIN, USER


class Place(NamedTuple):
    """A URL, who asks for it, and the headers that say so."""

    url: str
    who: str = ""
    headers: Mapping[str, str] = {}


def api_of(apps: Any, middle: Callable[[Any], Any]) -> Iterator[Place]:
    """Each address of the service whose apps these are; `middle` finds a row far inside a table."""
    yield Place("/")
    yield Place("/health/ready")
    yield Place("/metrics", headers={"authorization": f"Bearer {os.environ['METRICS_TOKEN']}"})
    service = {"authorization": f"Api-Key {os.environ['SERVICE_API_KEY']}"}
    if not apps.is_installed("orders"):
        for url in _of_consumer(apps, middle):
            yield Place(url, "service", service)
        return
    users, tokens = apps.get_model("users.CustomUser").objects, apps.get_model("authtoken.Token")
    for who, name in (("customer", USER), ("staff", ADMIN)):
        token, _ = tokens.objects.get_or_create(user=users.get(username=name))
        for url in _of_producer(apps, middle):
            yield Place(url, who, {"authorization": f"Token {token.key}"})


def _list(url: str, row: Any, at: datetime, filters: list[dict[str, str]]) -> Iterator[str]:
    """A list: its first page, a large one, one that begins at a row, and each filter, by itself
    and with a span of time.
    """
    after, before = (f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in (at, at + timedelta(hours=1)))
    hour = {"created_after": after, "created_before": before}
    queries = [{}, {"page_size": "100"}, {"cursor": b64encode(f"p={row.pk}".encode()).decode()}]
    queries += [{"created_after": after}, {"created_before": before}, hour]
    queries += [each | span for each in filters for span in ({}, hour)]
    for query in queries:
        yield f"{url}?{urlencode(query)}"


def _of_producer(apps: Any, middle: Callable[[Any], Any]) -> Iterator[str]:
    orders = apps.get_model("orders.Order")
    sent = orders.objects.filter(user__username=USER).exclude(task_id="").order_by("pk")
    row = sent.filter(pk__gte=middle(orders).pk).first()
    one = f"/api/v1/data/orders/{row.uuid}/"
    filters = [{"status": each} for each in ("pending", "confirmed", "cancelled")]
    filters += [{"currency": each} for each in ("TND", "EUR", "JPY")]
    filters += [{"status": "pending", "currency": "EUR"}]
    yield "/api/v1/users/me"
    yield from _list("/api/v1/data/orders/", row, row.created_at, filters)
    yield from (one, f"{one}timeline/")
    results = "/api/v1/data/task-results/"
    yield from (results, f"{results}?page_size=100", f"{results}{row.task_id}/")


def _of_consumer(apps: Any, middle: Callable[[Any], Any]) -> Iterator[str]:
    message = middle(apps.get_model("messaging.Message"))
    tasks = "/api/v1/consumer/tasks/"
    filters = [{"status": each} for each in ("SUCCESS", "FAILURE", "PENDING", "RETRY")]
    filters += [{"message_id": str(message.message_id)}]
    yield from _list(tasks, message.task, message.task.date_created, filters)
    yield f"{tasks}{message.task.task_id}/"
