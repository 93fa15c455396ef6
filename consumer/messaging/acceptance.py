"""Accepting messages: each is stored with its pending task, all or none."""

import logging
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from celery import states
from django.db import IntegrityError, transaction
from django_celery_results.models import TaskResult
from rest_framework.exceptions import ErrorDetail

from chassis import insertion, logs, sql
from chassis.clock import now_sql, seconds_from_now_sql
from chassis.problems import Conflict, KeyReused
from messaging import services, targets
from messaging.models import ENDED, Host, Message

BODY = ("address", "phone_number", "order_key", "status", "currency")  # what makes it the same
FIRST_PUBLISH_SECONDS = 10
HOST_NAMED = sql.Prepared(lambda name: Host.objects.filter(name=name).order_by(), name="name")
TRIES = 3  # how often two requests may get in each other's way

logger = logging.getLogger(__name__)


class Accepted(NamedTuple):
    message: Message
    is_new: bool


def accept_messages(*, messages: Sequence[dict[str, Any]], publish: bool = True) -> list[Accepted]:
    """Store messages, each with its pending task, all or none; publish the new ones' tasks after
    the commit.

    A known `message_id` with the same body answers its first task, and takes up a delivery that has
    ended. Raises KeyReused, naming each message whose id came before with another body.
    """
    for attempt in range(TRIES):
        try:
            return _accept(messages, publish)
        except IntegrityError:
            # Another request stores one of them at this moment: it is known next time.
            if attempt == TRIES - 1:
                raise Conflict(
                    "These messages are being sent by other requests; try again."
                ) from None
    raise AssertionError("unreachable")


def accept_message(*, message: dict[str, Any], publish: bool = True) -> Accepted:
    """The same for one that comes alone: KeyReused names its field without an index."""
    try:
        return accept_messages(messages=[message], publish=publish)[0]
    except KeyReused as error:
        detail: Any = error.detail
        raise KeyReused(detail["0"]) from None


@transaction.atomic
def _accept(messages: Sequence[dict[str, Any]], publish: bool) -> list[Accepted]:
    rows = _known([m["message_id"] for m in messages if m.get("message_id")])
    new_ids = set()
    order = []
    for given in messages:
        message_id = given.get("message_id") or uuid.uuid4()
        if message_id not in rows:
            rows[message_id] = Message(
                message_id=message_id,
                request_id=given.get("request_id") or logs.request_id.get(),
                **{name: given[name] for name in BODY},
            )
            new_ids.add(message_id)
        order.append(message_id)
    _refuse_other_bodies(messages, [rows[message_id] for message_id in order])
    _address(messages, [rows[message_id] for message_id in order])
    # Sorted, so that two requests with the same ids wait for each other instead of deadlocking.
    new = [rows[message_id] for message_id in sorted(new_ids)]
    _create(new)
    if publish:
        transaction.on_commit(lambda: _publish_first(new))
    _ask_again([rows[message_id] for message_id in sorted(set(order) - new_ids)])
    return [Accepted(rows[message_id], message_id in new_ids) for message_id in order]


def _known(ids: list[uuid.UUID]) -> dict[uuid.UUID, Message]:
    if not Message.objects.has_any(ids):  # as a rule
        return {}
    rows = Message.objects.filter(message_id__in=ids).select_related("task")
    return {row.message_id: row for row in rows}


def _refuse_other_bodies(messages: Sequence[dict[str, Any]], rows: list[Message]) -> None:
    reason = ErrorDetail("This message_id was used for another message.", code="message_id_reused")
    errors = {
        str(index): {"message_id": [reason]}
        for index, (given, row) in enumerate(zip(messages, rows, strict=True))
        if any(given[name] != getattr(row, name) for name in BODY)
    }
    if errors:
        raise KeyReused(errors)


def _address(messages: Sequence[dict[str, Any]], rows: list[Message]) -> None:
    """Where each result goes, and with which key: what was sent last counts."""
    names = {targets.origin_of(given["webhook_url"]) for given in messages}
    hosts = {host.name: host for name in names for host in HOST_NAMED(name=name)}
    if missing := sorted(names - hosts.keys()):
        Host.objects.bulk_create([Host(name=name) for name in missing], ignore_conflicts=True)
        hosts |= {host.name: host for name in missing for host in HOST_NAMED(name=name)}
    for given, row in zip(messages, rows, strict=True):
        row.webhook_url = given["webhook_url"]
        row.webhook_api_key = given.get("webhook_api_key", "")
        row.host = hosts[targets.origin_of(given["webhook_url"])]


def _create(rows: list[Message]) -> None:
    tasks = [
        TaskResult(
            task_id=str(uuid.uuid4()),
            task_name=services.TASK,
            status=states.PENDING,
            content_type="application/json",
            content_encoding="utf-8",
        )
        for _ in rows
    ]
    insertion.insert(tasks, date_created=now_sql())
    for row, task in zip(rows, tasks, strict=True):
        row.task = task
    insertion.insert(rows, due_at=seconds_from_now_sql(str(FIRST_PUBLISH_SECONDS)))


def _ask_again(rows: list[Message]) -> None:
    """Their sender misses the results: what it sent last is used, and deliveries that have ended
    begin anew.

    Rows that somebody holds this moment follow after the commit, one by one: who waits for a row
    must hold none, for deliveries are recorded in an order of their own.
    """
    if not rows:  # as a rule
        return
    known = Message.objects.filter(pk__in=[row.pk for row in rows])
    free = set(known.select_for_update(skip_locked=True).values_list("pk", flat=True))
    _use_what_was_sent_last([row for row in rows if row.pk in free])
    for row in rows:
        if row.pk not in free:
            _follow(row)


def _follow(row: Message) -> None:
    def use() -> None:
        _use_what_was_sent_last([row])

    # All is stored by then: where this fails the sender, who misses a result, asks again.
    transaction.on_commit(use, robust=True)


def _use_what_was_sent_last(rows: list[Message]) -> None:
    if not rows:
        return
    Message.objects.bulk_update(rows, ["webhook_url", "webhook_api_key", "host"])
    ended = Message.objects.filter(pk__in=[row.pk for row in rows], state__in=ENDED)
    services.redeliver(messages=ended)


def _publish_first(rows: list[Message]) -> None:
    for row in rows:
        logger.info("message accepted", extra=services.ids_of(row))
    for row in rows:
        if not services.publish_task(row, number=1, seconds=FIRST_PUBLISH_SECONDS):
            return  # the broker is away: the sweep publishes them when they are due
