"""Delivering results: one drain a process, with sending threads that are refilled as each send ends."""

import logging
import math
from collections import Counter, defaultdict
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cache
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django_celery_results.models import TaskResult

from chassis import http
from chassis.outbox import LOOK_AGAIN, Outcome, claim, drain, record
from chassis.worker import stopping
from messaging import hosts, services, webhook
from messaging.models import DeliveryAttempt, Host, Message

logger = logging.getLogger(__name__)

SHARE = 4  # a host has at most one in so many of the sending threads


class Send(NamedTuple):
    """A post on its way."""

    message: Message
    host: Host
    is_probe: bool


Open = dict["Future[http.Answer]", Send]


@cache
def sending_threads() -> ThreadPoolExecutor:
    """The process's own, for as long as it lives: each thread keeps its connections."""
    return ThreadPoolExecutor(settings.WEBHOOK_THREADS, thread_name_prefix="webhook")


def deliver_due() -> int:
    """Post what is due until nothing is due or on its way; returns how many sends were begun or recorded.

    It does not end after a while, as other drains do: slow sends may be open at any time, and this process has
    nothing else to do. When it is shut down it leaves open sends to their leases.
    """
    open_sends: Open = {}
    return drain(lambda: _step(open_sends), ring=services.delivery_bell.ring, seconds=math.inf)


def _step(open_sends: Open) -> int:
    """Begin what is due, as far as threads are free, then wait a moment for sends to end."""
    begun = _begin_sends(open_sends)
    if not open_sends:
        return begun
    # With a thread free, look for new rows now and then; with none free there is nothing to look for.
    patience = LOOK_AGAIN if len(open_sends) < settings.WEBHOOK_THREADS else None
    done, _ = wait(open_sends, timeout=patience, return_when=FIRST_COMPLETED)
    if done and not stopping.is_set():
        _record([(open_sends.pop(future), future) for future in done])
    return begun + len(done) + len(open_sends)


def _begin_sends(open_sends: Open) -> int:
    busy = Counter(send.host.pk for send in open_sends.values())
    share = max(1, settings.WEBHOOK_THREADS // SHARE)
    sends: list[Send] = []
    for host in hosts.waiting():
        free = min(settings.WEBHOOK_THREADS - len(open_sends) - len(sends), share - busy[host.pk])
        is_probe = host.open_until is not None
        if free <= 0 or (is_probe and not hosts.take_probe(host)):
            continue
        rows = claim(hosts.rows_of(host), 1 if is_probe else free)
        sends += [Send(row, host, is_probe) for row in rows]
    tasks = TaskResult.objects.in_bulk([send.message.task_id for send in sends])
    for send in sends:
        task = tasks.get(send.message.task_id)
        if task is not None:  # deleted this moment, and its message with it
            future = sending_threads().submit(webhook.post_result, send.message, task)
            open_sends[future] = send
    return len(sends)


def _record(ended: list[tuple[Send, "Future[http.Answer]"]]) -> None:
    outcomes: list[Outcome] = []
    attempts: list[DeliveryAttempt] = []
    answers: dict[int, list[bool | None]] = defaultdict(list)
    by_pk = {send.host.pk: send.host for send, _ in ended}
    for send, future in ended:
        answer = _answer_of(future)
        seconds = hosts.open_seconds(send.host.failures + 1) if send.is_probe else None
        outcomes.append(webhook.outcome_of(send.message, answer, probe_seconds=seconds))
        answers[send.host.pk].append(webhook.host_works(answer))
        attempts.append(
            DeliveryAttempt(
                message=send.message,
                at=send.message.claimed_at,
                ms=answer.ms,
                status=answer.status,
                error="" if outcomes[-1].error == str(answer.status) else outcomes[-1].error[:255],
            )
        )
    with transaction.atomic():
        record(outcomes)
        DeliveryAttempt.objects.bulk_create(attempts)
    # Apart from the rows' transaction, so that two processes never wait for each other crosswise.
    for pk, given in answers.items():
        hosts.note(by_pk[pk], given)


def _answer_of(future: "Future[http.Answer]") -> http.Answer:
    """One message that can't be sent at all stops nobody else."""
    error = future.exception()
    if error is None:
        return future.result()
    logger.error("a result could not be posted", exc_info=error)
    return http.Answer(None, b"", {}, f"{type(error).__name__}: {error}", 0)
