"""One order's story across both services: what happened, when, and what went wrong."""

import threading
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime

from orders import consumer
from orders.models import Order, OrderStatus

PATIENCE = 0.5  # seconds to wait while others ask
asking = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


def of(order: Order, *, consumer_seconds: float = 3.0) -> dict[str, Any]:
    """The order's steps by time; the consumer's part comes from its API, or is said to be
    unavailable.
    """
    task = _task_of(order, consumer_seconds) if order.task_id else None
    own = _own_events(order)
    try:
        events = _by_time(own + (_consumer_events(task) if task else []))
        delivery = _delivery(task) if task else None
    except (LookupError, TypeError, ValueError, AttributeError):  # not the task that was agreed on
        task, delivery, events = None, None, _by_time(own)
    return {
        "uuid": str(order.uuid),
        "order_key": order.order_key,
        "status": order.status,
        "task_id": order.task_id or None,
        "dispatch": _dispatch(order),
        "delivery": delivery,
        "consumer": "ok" if task else "unavailable" if order.task_id else "not asked yet",
        "events": events,
    }


def _task_of(order: Order, seconds: float) -> dict[str, Any] | None:
    """A consumer that says nothing must not hold every thread of the web process."""
    if not asking.acquire(timeout=PATIENCE):
        return None
    try:
        return consumer.get_task(order.task_id, seconds=seconds)
    finally:
        asking.release()


def _by_time(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(events, key=lambda event: event["at"])


def _dispatch(order: Order) -> dict[str, Any]:
    pending = order.status == OrderStatus.PENDING
    if not pending:
        state = "done"
    elif order.due_at is None:
        state = "refused"
    else:
        state = "accepted" if order.task_id else "waiting"
    return {
        "state": state,
        "attempts": order.attempts,
        "due_at": order.due_at if pending else None,
        "last_error": order.last_error,
    }


def _event(at: Any, name: str, service: str, **details: Any) -> dict[str, Any]:
    return {"at": at, "event": name, "service": service, **details}


def _own_events(order: Order) -> list[dict[str, Any]]:
    events = [_event(order.created_at, "accepted", "producer")]
    for attempt in order.attempts_log.order_by("-id")[:100]:
        events.append(
            _event(
                attempt.at,
                "sent",
                "producer",
                status=attempt.status,
                ms=attempt.ms,
                error=attempt.error,
            )
        )
    for row in order.task_results.order_by("-id")[:100]:
        events.append(
            _event(row.created_at, "result", "producer", task_id=row.task_id, result=row.result)
        )
    if order.status != OrderStatus.PENDING:
        events.append(_event(order.updated_at, order.status, "producer"))
    return events


def _delivery(task: dict[str, Any]) -> dict[str, Any] | None:
    return {k: v for k, v in (task["delivery"] or {}).items() if k != "log"} or None


def _consumer_events(task: dict[str, Any]) -> list[dict[str, Any]]:
    events = [
        _event(parse_datetime(task["date_created"]), "task", "consumer", task_id=task["task_id"])
    ]
    if task["date_done"]:
        done = parse_datetime(task["date_done"])
        events.append(
            _event(done, "processed", "consumer", status=task["status"], result=task["result"])
        )
    for attempt in (task["delivery"] or {}).get("log", []):
        name = (
            "delivered"
            if attempt["status"] and 200 <= attempt["status"] < 300
            else "delivery failed"
        )
        at = parse_datetime(attempt["at"])
        details = {key: attempt[key] for key in ("status", "ms", "error")}
        events.append(_event(at, name, "consumer", **details))
    return events
