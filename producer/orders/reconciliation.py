"""Comparing the two services: what each knows of the same orders, and what mends a difference."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from orders import consumer
from orders.models import Order, OrderStatus

FINAL = {"SUCCESS": OrderStatus.CONFIRMED, "FAILURE": OrderStatus.CANCELLED}
GRACE = timedelta(seconds=60)  # what is younger may simply be on its way


class Gap(NamedTuple):
    """A difference: of which order (its uuid), what is wrong, and what to do."""

    uuid: str
    problem: str
    repair: str


def find_gaps(
    *, since: datetime, until: datetime, progress: Callable[[str], None] = lambda text: None
) -> Iterator[Gap]:
    """The gaps of the orders accepted in this time. Raises consumer.Unreachable.

    `progress` is told often how far it is.
    """
    tasks: dict[str, dict[str, Any]] = {}
    for task in consumer.tasks_since(since):
        if task["message_id"]:
            tasks[task["message_id"]] = task
        progress(f"{len(tasks)} tasks read from the consumer")
    until = min(until, timezone.now() - GRACE)
    window = Order.objects.filter(created_at__gte=since, created_at__lt=until)
    rows = window.order_by("id").defer("message").iterator(chunk_size=1000)
    for number, order in enumerate(rows, 1):
        progress(f"{number} orders compared")
        if gap := _gap_of(order, tasks.pop(str(order.uuid), None)):
            yield gap
    yield from _gaps_without_order(tasks)


def _gap_of(order: Order, task: dict[str, Any] | None) -> Gap | None:
    uuid = str(order.uuid)
    if order.status != OrderStatus.PENDING:
        expected = FINAL.get(task["status"]) if task else None
        if order.status == OrderStatus.CONFIRMED and expected == OrderStatus.CANCELLED:
            problem = f"is confirmed, but its task {_id(task)} failed"
            return Gap(uuid, problem, "look at both: the first result that arrived stands")
        return None
    if order.due_at is None:
        repair = f"mend the cause, then producer: manage.py redeliver {uuid}"
        return Gap(uuid, f"is pending, the consumer refused it: {order.last_error}", repair)
    asked_again = f"by itself, next at {order.due_at:%F %T}Z"
    if task is None:
        repair = f"{asked_again}; at once: manage.py redeliver {uuid}"
        return Gap(uuid, f"is pending, the consumer does not know it; {order.last_error}", repair)
    return _gap_of_pending(uuid, task, asked_again)


def _gap_of_pending(uuid: str, task: dict[str, Any], asked_again: str) -> Gap:
    delivery = task["delivery"] or {}
    state = delivery.get("state")
    said = f"{delivery.get('attempts')} attempts, {delivery.get('last_error') or 'no error'}"
    by_hand = _deliver_by_hand(task)
    if state == "processing":
        problem = f"is pending, its task {_id(task)} has no result"
        return Gap(uuid, problem, "by itself; is a consumer-worker running?")
    if state == "delivering":
        problem = f"is pending, its result is being delivered ({said})"
        return Gap(
            uuid, problem, f"by itself, next at {delivery.get('due_at')}; at once: {by_hand}"
        )
    problem = f"is pending, its result's delivery ended as {state} ({said})"
    return Gap(uuid, problem, f"{asked_again}; at once: {by_hand}")


def _gaps_without_order(tasks: dict[str, dict[str, Any]]) -> Iterator[Gap]:
    """Messages whose order is not there and that the consumer has not noticed to be gone."""
    known = {
        str(uuid) for uuid in Order.objects.filter(uuid__in=tasks).values_list("uuid", flat=True)
    }
    for message_id, task in tasks.items():
        state = (task["delivery"] or {}).get("state")
        if message_id not in known and state not in ("gone", "delivered"):
            problem = f"has a task {_id(task)} ({state}) at the consumer, but is not here"
            by_itself = "by itself: its delivery ends as gone"
            repair = _deliver_by_hand(task) if state == "dead" else by_itself
            yield Gap(message_id, problem, repair)


def _deliver_by_hand(task: dict[str, Any]) -> str:
    return f"consumer: manage.py redeliver {_id(task)}"


def _id(task: dict[str, Any] | None) -> str:
    return str(task["task_id"]) if task else ""
