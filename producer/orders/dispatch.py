"""Sending orders' messages to the consumer: which are due, and what becomes of them."""

import logging
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chassis import http, insertion, keys, sql
from chassis.outbox import Outcome, claim, record
from orders import consumer
from orders.models import Order, OrderAPIKey, SendAttempt

logger = logging.getLogger(__name__)

BATCH = 50  # the consumer takes up to 100 a list
RETRY_SECONDS = (1, 2, 5, 10, 20, 30)  # the last one without end
ASK_AGAIN_SECONDS, ASK_AGAIN_MOST = 20, 600
SINGLES_SECONDS = 5  # a refused list is sent one by one so long: it took 10, the last takes 10
REFUSALS = (400, 413, 422)

DUE = sql.Prepared(lambda: Order.objects.due().only("pk"))


def dispatch_batch() -> int | None:
    """Send one batch of due orders; returns how many, None when the consumer takes none now."""
    claimed = claim_orders()
    if not claimed:
        return 0
    messages, outcomes = [], []
    for order, key in claimed:
        try:
            messages.append((order, build_message(order, key)))
        except (TypeError, ValueError) as error:  # this row alone is at fault
            outcomes.append(refused(order, f"its message can't be built: {error}"))
    answer_outcomes, attempts, reached = send(messages) if messages else ([], [], True)
    record([*outcomes, *answer_outcomes], attempts)
    return len(claimed) if reached else None


@transaction.atomic
def claim_orders() -> list[tuple[Order, str]]:
    """Claim due orders and make each one's key, in one transaction: an order deleted meanwhile
    waits for it.
    """
    orders = claim(DUE, BATCH)
    return list(zip(orders, _make_keys(orders), strict=True)) if orders else []


def _make_keys(orders: list[Order], turn: int = 0) -> list[str]:
    """Each order's key, the same at every attempt, stored hashed and valid for 30 more days; a new
    one in place of one that was revoked.
    """
    made = [keys.derive("order", str(order.uuid), turn) for order in orders]
    expiry = timezone.now() + timedelta(days=settings.ORDER_KEY_DAYS)
    new = insertion.insert_new(
        [
            OrderAPIKey(order=order, name="webhook", expiry_date=expiry, **keys.hashed(key))
            for order, key in zip(orders, made, strict=True)
        ]
    )
    if new == len(made):
        return made
    if again := [order.pk for order in orders if order.claims > 1]:  # attempts may begin anew
        OrderAPIKey.objects.filter(order__in=again, name="webhook").update(expiry_date=expiry)
    prefixes = [key[: keys.PREFIX] for key in made]
    usable = OrderAPIKey.objects.filter(prefix__in=prefixes, revoked=False)
    owners = dict(usable.values_list("prefix", "order_id"))
    return [
        key if owners.get(prefix) == order.pk else _make_keys([order], turn + 1)[0]
        for order, key, prefix in zip(orders, made, prefixes, strict=True)
    ]


def build_message(order: Order, key: str) -> dict[str, Any]:
    """What send-message/ takes: the order's snapshot, where to answer, and the key for that."""
    return {
        **order.message,
        "webhook_url": f"{settings.PRODUCER_URL}/api/v1/data/orders/{order.uuid}/status/update",
        "webhook_api_key": key,
        "request_id": trace_of(order),
    }


def trace_of(order: Order) -> str:
    """The id that the log's lines about an order have; its uuid where no request placed it."""
    return order.request_id or str(order.uuid)


Messages = list[tuple[Order, dict[str, Any]]]
# The flag says whether the consumer takes messages.
Sent = tuple[list[Outcome], list[SendAttempt], bool]


def send(messages: Messages) -> Sent:
    """Post one list and read the answer for each of its orders."""
    answer = consumer.send_messages([message for _, message in messages])
    attempts = [attempt_of(order, answer) for order, _ in messages]
    if answer.status == 202 and (tasks := consumer.tasks_in(answer, len(messages))):
        pairs = zip(messages, tasks, strict=True)
        return [accepted(order, task) for (order, _), task in pairs], attempts, True
    if answer.status not in REFUSALS:
        reason = consumer.reason_of(answer)
        logger.warning("consumer does not take messages: %s", reason)
        return [failed(order, reason) for order, _ in messages], attempts, False
    bad = consumer.named_rows(answer, len(messages))
    if not bad and len(messages) > 1:
        return _send_singly(messages, attempts)
    if not bad:
        bad = {0: consumer.reason_of(answer)}
    # The rest is due at once, and goes with the next batch.
    outcomes = [
        refused(order, bad[index]) if index in bad else given_back(order)
        for index, (order, _) in enumerate(messages)
    ]
    return outcomes, attempts, True


def _send_singly(messages: Messages, attempts: list[SendAttempt]) -> Sent:
    """A list was refused, nobody says for which row: find it, as far as the lease allows."""
    outcomes, reached, end = [], True, time.monotonic() + SINGLES_SECONDS
    for order, message in messages:
        if not reached or time.monotonic() > end:
            outcomes.append(given_back(order))
            continue
        one, tried, reached = send([(order, message)])
        outcomes += one
        attempts += tried
    return outcomes, attempts, reached


def accepted(order: Order, task_id: str) -> Outcome:
    """Only leaving `pending` settles an order: the consumer is asked again after 20 s, 40 s … 10
    minutes.
    """
    _log(logging.INFO, "order sent", order, task_id=task_id)
    attempts = order.attempts if order.task_id == task_id else 1
    due_in = min(ASK_AGAIN_SECONDS * 2 ** min(attempts - 1, 10), ASK_AGAIN_MOST)
    return Outcome(order, due_in=due_in, attempts=attempts, changes={"task_id": task_id})


def failed(order: Order, reason: str) -> Outcome:
    due_in = RETRY_SECONDS[min(order.attempts, len(RETRY_SECONDS)) - 1]
    _log(logging.INFO, "order not sent", order, reason=reason, attempt=order.attempts)
    return Outcome(order, due_in=due_in, attempts=order.attempts, error=reason)


def refused(order: Order, reason: str) -> Outcome:
    """The message itself is at fault: the order stays pending, and is shown with the reason."""
    _log(logging.ERROR, "order refused", order, reason=reason)
    return Outcome(order, due_in=None, attempts=order.attempts, error=f"refused: {reason}")


def _log(level: int, event: str, order: Order, **facts: Any) -> None:
    if logger.isEnabledFor(level):
        ids = {"request_id": trace_of(order), "order": str(order.uuid)}
        logger.log(level, event, extra={**ids, **facts})


def given_back(order: Order) -> Outcome:
    return Outcome(order, due_in=0, attempts=order.attempts - 1, error=order.last_error)


def attempt_of(order: Order, answer: http.Answer) -> SendAttempt:
    error = "" if answer.status == 202 else consumer.reason_of(answer)
    return SendAttempt(
        order=order, at=order.claimed_at, ms=answer.ms, status=answer.status, error=error
    )
