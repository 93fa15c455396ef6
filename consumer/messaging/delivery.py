"""Delivering results: one drain a process, with sending threads that are refilled as each send
ends.
"""

import logging
import threading
from collections import Counter, defaultdict
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cache
from typing import NamedTuple

from django.conf import settings
from django_celery_results.models import TaskResult

from chassis import http, sql
from chassis.outbox import LOOK_AGAIN, Outcome, claim, drain, record
from chassis.worker import stopping
from messaging import hosts, services, webhook
from messaging.models import DeliveryAttempt, Host, Message, State

logger = logging.getLogger(__name__)

one_drain = threading.Lock()  # a process has one at a time
DRAIN_SECONDS = 60.0
LINGER = 0.01  # seconds
SHARE = 4  # a host has at most one in so many of the sending threads


class Send(NamedTuple):
    """A post on its way."""

    message: Message
    host: Host
    is_probe: bool


@cache
def sending_threads() -> ThreadPoolExecutor:
    """The process's own, for as long as it lives: each thread keeps its connections."""
    return ThreadPoolExecutor(settings.WEBHOOK_THREADS, thread_name_prefix="webhook")


def share() -> int:
    """How many posts to one host may be on their way at once."""
    return max(1, settings.WEBHOOK_THREADS // SHARE)


def deliver_due() -> int:
    """Post what is due until nothing is due or on its way; returns how many sends have ended.

    After a minute it rings for the next one, which goes on with the sends that are open: a broker
    gives up a worker that holds a ring for long. When it is shut down it leaves open sends to their
    leases.
    """
    if not one_drain.acquire(blocking=False):
        return 0  # the drain that is at it finds whatever is due
    try:
        before = sends().ended
        drain(sends().step, full=share(), ring=services.delivery_bell.ring, seconds=DRAIN_SECONDS)
        return sends().ended - before
    finally:
        one_drain.release()


class Sends:
    """The posts on their way, and how many have ended."""

    def __init__(self) -> None:
        self.open: dict[Future[http.Answer], Send] = {}
        self.ended = 0

    def step(self) -> int:
        """Begin what is due, as far as threads are free, and wait a moment for sends to end.

        Returns 0 when nothing is due or on its way.
        """
        if not self.open:
            self._begin()
        if not self.open:
            return 0
        handled = len(self.open)
        # With a thread free, look for new rows now and then; with none there is no need.
        patience = LOOK_AGAIN if handled < settings.WEBHOOK_THREADS else None
        done, rest = wait(self.open, timeout=patience, return_when=FIRST_COMPLETED)
        if done and rest:  # those that end together are recorded together
            done, _ = wait(self.open, timeout=LINGER)
        if not stopping.is_set():
            self._end(done)
        return handled

    def _end(self, done: "set[Future[http.Answer]]") -> None:
        """Record what has ended, and begin what is due in its place.

        Begin first, so that receivers work while it is recorded; but where a send failed, its host
        may be one to leave alone.
        """
        # In the order they were claimed, so that the last one's host is the one read last.
        ended = {future: send for future, send in self.open.items() if future in done}
        for future in ended:
            del self.open[future]
        answers = [(send, _answer_of(send.message, future)) for future, send in ended.items()]
        all_well = all(webhook.host_works(answer) for _, answer in answers)
        try:
            if all_well:
                self._begin()
            if answers:
                _record(answers)
        except sql.UNAVAILABLE:
            self.open |= ended  # the next drain records them, if their leases last so long
            raise
        self.ended += len(ended)
        _note(answers)
        if not all_well:
            self._begin()

    def _begin(self) -> None:
        claimed = self._claim()
        tasks = sql.by_keys(TaskResult, [send.message.task_id for send in claimed])
        for send in claimed:
            task = tasks.get(send.message.task_id)
            if task is not None:  # deleted this moment, and its message with it
                send.message.task = task
                future = sending_threads().submit(webhook.post_result, send.message, task)
                self.open[future] = send

    def _claim(self) -> list[Send]:
        """Claim for each host in turn, no more than can be sent at once.

        All probes together get one share: each may hold its thread until the time is up.
        """
        busy = Counter(send.host.pk for send in self.open.values())
        probes = sum(send.is_probe for send in self.open.values())
        claimed: list[Send] = []
        for host in hosts.waiting():
            free = settings.WEBHOOK_THREADS - len(self.open) - len(claimed)
            limit = min(free, share() - busy[host.pk])
            is_probe = host.open_until is not None
            if limit <= 0 or (is_probe and (probes >= share() or not hosts.take_probe(host))):
                continue
            probes += is_probe
            rows = claim(hosts.ROWS_OF[is_probe], 1 if is_probe else limit, host=host.pk)
            claimed += [Send(row, host, is_probe) for row in rows]
        return claimed


@cache
def sends() -> Sends:
    """The process's own: what the database's failure keeps one drain from recording, the next one
    records.
    """
    return Sends()


def _record(ended: list[tuple[Send, http.Answer]]) -> None:
    outcomes: list[Outcome] = []
    attempts: list[DeliveryAttempt] = []
    for send, answer in ended:
        seconds = hosts.open_seconds(send.host.failures + 1) if send.is_probe else None
        outcomes.append(webhook.outcome_of(send.message, answer, probe_seconds=seconds))
        attempts.append(
            DeliveryAttempt(
                message=send.message,
                at=send.message.claimed_at,
                ms=answer.ms,
                status=answer.status,
                error="" if outcomes[-1].error == str(answer.status) else outcomes[-1].error[:255],
            )
        )
    record(outcomes, attempts)
    for outcome, attempt in zip(outcomes, attempts, strict=True):
        _log(outcome, attempt)


def _log(outcome: Outcome, attempt: DeliveryAttempt) -> None:
    state = outcome.changes.get("state", State.DELIVERING)
    level = logging.WARNING if state == State.DEAD else logging.INFO
    if logger.isEnabledFor(level):
        facts = {"state": str(state), "attempt": attempt.message.attempts, "ms": attempt.ms}
        facts |= {"status": attempt.status, "reason": attempt.error}
        logger.log(level, "result posted", extra={**services.ids_of(attempt.message), **facts})


def _note(ended: list[tuple[Send, http.Answer]]) -> None:
    """Apart from the rows' transaction, so that two processes never wait for each other
    crosswise.
    """
    answers: dict[tuple[int, bool], list[bool | None]] = defaultdict(list)
    by_pk = {}
    for send, answer in ended:
        by_pk[send.host.pk] = send.host
        answers[send.host.pk, send.is_probe].append(webhook.host_works(answer))
    for (pk, is_probe), given in answers.items():
        hosts.note(by_pk[pk], given, is_probe=is_probe)


def _answer_of(message: Message, future: "Future[http.Answer]") -> http.Answer:
    """One message that can't be sent at all stops nobody else."""
    error = future.exception()
    if error is None:
        return future.result()
    logger.error("a result could not be posted", exc_info=error, extra=services.ids_of(message))
    return http.Answer(None, b"", {}, f"{type(error).__name__}: {error}", 0)
