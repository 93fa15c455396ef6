"""The result backend: how a task's result is stored, by the worker and by everybody else."""

import json
import logging
from contextlib import nullcontext
from functools import cache
from typing import Any

from billiard.exceptions import (
    SoftTimeLimitExceeded,
    Terminated,
    TimeLimitExceeded,
    WorkerLostError,
)
from celery import states
from celery.exceptions import Ignore, Reject
from django.db import connection, transaction
from django.db.models.signals import post_save
from django_celery_results.backends.database import DatabaseBackend
from django_celery_results.models import TaskResult

from chassis import sql
from chassis.clock import now_sql
from messaging.models import Message

logger = logging.getLogger(__name__)

# What says nothing about the message: its task is published again when its row is due.
INFRASTRUCTURE = (
    WorkerLostError,
    TimeLimitExceeded,
    SoftTimeLimitExceeded,
    Terminated,
    *sql.UNAVAILABLE,
    Ignore,
    Reject,
)


def store(task_id: str, *, status: str, result: str | None, **columns: str | None) -> bool:
    """Store a task's state and its result (JSON text); False where it is final already, or not
    known.

    The condition on the status makes the first final state win. Written by hand, being so hot, and
    so is its `post_save` signal, whose receiver's work is part of the same transaction.
    """
    columns |= {"status": status, "result": result}
    at_once = connection.vendor == "postgresql" and status in states.READY_STATES
    with nullcontext() if at_once else transaction.atomic():
        row = (_end if at_once else _update)(task_id, columns)
        if row is not None:
            post_save.send(
                sender=TaskResult,
                instance=row,
                created=False,
                raw=False,
                using=connection.alias,
                update_fields=None,
            )
    if row is None:
        known = TaskResult.objects.filter(task_id=task_id).values_list("status", flat=True).first()
        facts = {"task_id": task_id, "task_status": known or "no such task"}
        logger.info("result not stored", extra=facts)
        return False
    logger.info("task ended", extra={"task_id": task_id, "task_status": status})
    return True


def _end(task_id: str, columns: dict[str, str | None]) -> TaskResult | None:
    """`_update` to a final state that has its message delivered as well: one statement, and so a
    transaction by itself. `must_ring` is what is left to the receiver.
    """
    vendor = connection.vendor
    found = sql.execute(_ending(tuple(columns), vendor), [*columns.values(), task_id])
    if not found:
        return None
    ((*raw, ring),) = found
    _, reader = sql.whole(TaskResult, vendor)
    (row,) = reader.read([raw])
    row.must_ring = bool(ring)
    return row


@cache
def _ending(columns: tuple[str, ...], vendor: str) -> str:
    begin = Message.objects.begin_delivery_sql("ended.id", "FROM ended")
    return (
        f"WITH ended AS ({_updating(columns, vendor)}), begun (ring) AS ({begin}) "  # noqa: S608  # our own text
        "SELECT ended.*, (SELECT ring FROM begun) FROM ended"
    )


def _update(task_id: str, columns: dict[str, str | None]) -> TaskResult | None:
    """Write a task's row unless its state is final; returns it as it is now."""
    vendor = connection.vendor
    rows = sql.execute(_updating(tuple(columns), vendor), [*columns.values(), task_id])
    _, reader = sql.whole(TaskResult, vendor)
    return next(iter(reader.read(rows)), None)


@cache
def _updating(columns: tuple[str, ...], vendor: str) -> str:
    """Its parameters are the columns' values and the task's id."""
    returned, _ = sql.whole(TaskResult, vendor)
    final = ", ".join(f"'{state}'" for state in sorted(states.READY_STATES))
    return (
        f"UPDATE {TaskResult._meta.db_table} SET date_done = {now_sql()}, "  # noqa: S608
        f"{', '.join(f'{name} = %s' for name in columns)} "
        f"WHERE task_id = %s AND status NOT IN ({final}) RETURNING {returned}"
    )


def store_failure(task_id: str, error: Exception) -> bool:
    """Store that a task failed for good, as Celery stores an exception."""
    result = {
        "exc_type": type(error).__name__,
        "exc_message": [str(error)],
        "exc_module": type(error).__module__,
    }
    return store(task_id, status=states.FAILURE, result=json.dumps(result))


class ResultBackend(DatabaseBackend):
    """django-celery-results' backend, with a stored result that nothing overwrites and no outage
    loses.
    """

    def exception_safe_to_retry(self, exc: Exception) -> bool:
        """The database away or read-only, a lock, a deadlock, a full disk: tried again on a new
        connection.
        """
        if not isinstance(exc, sql.UNAVAILABLE):
            return False
        connection.close()
        return True

    def store_result(self, task_id: str, result: Any, state: str, *args: Any, **kwargs: Any) -> Any:
        if isinstance(result, INFRASTRUCTURE):
            facts = {"task_id": task_id, "reason": repr(result)}
            logger.warning("task did not end, and is tried again", extra=facts)
            return result
        return super().store_result(task_id, result, state, *args, **kwargs)

    def _store_result(
        self,
        task_id: str,
        result: Any,
        status: str,
        traceback: str | None = None,
        request: Any = None,
        using: str | None = None,
    ) -> Any:
        content_type, content_encoding, encoded = self.encode_content(result)
        store(
            task_id,
            status=status,
            result=encoded,
            traceback=traceback,
            content_type=content_type,
            content_encoding=content_encoding,
            worker=getattr(request, "hostname", None),
        )
        return encoded


def outcome_of(task: TaskResult) -> Any:
    """A result decoded: the task's value or, where it failed, a short reason, no traceback."""
    try:
        value = json.loads(task.result) if task.result else None
    except ValueError:
        return task.result
    if task.status in states.EXCEPTION_STATES and isinstance(value, dict) and "exc_type" in value:
        said = value.get("exc_message")
        message = " ".join(map(str, said)) if isinstance(said, list | tuple) else str(said or "")
        return f"{value['exc_type']}: {message}".rstrip(": ")
    return value
