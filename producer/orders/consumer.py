"""The consumer, as the producer sees it: its API's calls, and how its answers are read."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from chassis import http, logs


def send_messages(messages: list[dict[str, Any]]) -> http.Answer:
    url = f"{settings.CONSUMER_URL}/api/v1/consumer/send-message/"
    headers = _headers()
    if len(messages) == 1:
        headers["X-Request-ID"] = messages[0]["request_id"]
    return http.post(url, body=json.dumps(messages).encode(), headers=headers)


def get_task(task_id: str, *, seconds: float) -> dict[str, Any] | None:
    """A task as the consumer's API shows it; None when it can't be had in this time."""
    url = f"{settings.CONSUMER_URL}/api/v1/consumer/tasks/{task_id}/"
    limits = {"connect_timeout": min(1.0, seconds), "total_timeout": seconds}
    answer = http.get(url, headers=_headers(), **limits)
    return _object_in(answer) or None if answer.status == 200 else None


class Unreachable(Exception):
    """The consumer does not answer as agreed; the text says how."""


def tasks_since(since: datetime) -> Iterator[dict[str, Any]]:
    """The consumer's tasks created since then, the newest first, as its API shows them.

    Raises Unreachable.
    """
    # A page must fit into what is read of an answer.
    tasks = f"{settings.CONSUMER_URL}/api/v1/consumer/tasks/"
    query = f"page_size=20&created_after={since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    while query:
        answer = http.get(f"{tasks}?{query}", headers=_headers())
        page = _object_in(answer) if answer.status == 200 else {}
        if "results" not in page:
            raise Unreachable(reason_of(answer))
        yield from page["results"]
        query = urlsplit(page["next"] or "").query  # our key goes to the consumer's own address


def _headers() -> dict[str, str]:
    return {
        "Authorization": f"Api-Key {settings.CONSUMER_API_KEY}",
        "Content-Type": "application/json",
        "X-Request-ID": logs.request_id.get(),
    }


def reason_of(answer: http.Answer) -> str:
    """One line for a person: the network's error, or the status and what the answer says of it."""
    if answer.status is None:
        return _one_line(answer.error)
    said = ", ".join(f"{e.get('field')}: {e.get('message')}" for e in _errors_in(answer))
    return _one_line(f"{answer.status} {said or _object_in(answer).get('detail', '')}")


def _one_line(text: str) -> str:
    """At most 255 characters that every database takes, whatever the consumer said."""
    text = text.replace("\x00", " ").encode(errors="replace").decode()
    return " ".join(text.split())[:255]


def _object_in(answer: http.Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _errors_in(answer: http.Answer) -> list[dict[str, Any]]:
    errors = _object_in(answer).get("errors")
    return (
        [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    )


def tasks_in(answer: http.Answer, expected: int) -> list[str]:
    """The task ids of a 202, in the order sent; empty when the body is not as agreed."""
    try:
        tasks = [task["task_id"] for task in json.loads(answer.body)]
    except (ValueError, TypeError, KeyError):
        return []
    usable = [t for t in tasks if isinstance(t, str) and 0 < len(t) <= 255 and t.isprintable()]
    return usable if len(usable) == len(tasks) == expected else []


def named_rows(answer: http.Answer, sent: int) -> dict[int, str]:
    """Which rows of a refused list are at fault, and why: a field begins with its row's index."""
    named = {}
    for error in _errors_in(answer):
        index, _, field = str(error.get("field", "")).partition(".")
        if index.isdecimal() and int(index) < sent:
            named[int(index)] = _one_line(f"{answer.status} {field}: {error.get('message', '')}")
    return named
