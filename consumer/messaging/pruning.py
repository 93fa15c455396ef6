"""Deleting what is finished and old, in small batches: delivered and gone messages with their
results.
"""

from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django_celery_results.models import TaskResult

from chassis.clock import Now, SecondsFromNow
from chassis.pruning import delete_some
from chassis.throttle import old_counts
from messaging.models import DeliveryAttempt, Host, Message, State, TaskAPIKey, ThrottleCount

BATCH = 500  # rows

MESSAGES, HOSTS = "messages with their results", "hosts without messages"


def prunable(days: float | None = None) -> dict[str, QuerySet[Any]]:
    """What is finished and older than `days` (default RETENTION_DAYS), by its kind.

    Dead messages stay: they are there to be sent again.
    """
    days = settings.RETENTION_DAYS if days is None else days
    old = SecondsFromNow(-days * 86400.0)
    ended = Message.objects.filter(state__in=(State.DELIVERED, State.GONE), created_at__lt=old)
    return {
        MESSAGES: ended,
        "attempts": DeliveryAttempt.objects.filter(at__lt=old),
        "expired task keys": TaskAPIKey.objects.filter(expiry_date__lt=Now()),
        HOSTS: Host.objects.filter(~Exists(Message.objects.filter(host=OuterRef("pk")))),
        "throttle counts": old_counts(ThrottleCount),
    }


def prune_batch(days: float | None = None) -> dict[str, int]:
    """Delete one batch of each kind; returns how many went."""
    deleters = {MESSAGES: _delete_messages, HOSTS: _delete_hosts}
    return {kind: deleters.get(kind, _delete_some)(rows) for kind, rows in prunable(days).items()}


def _delete_some(rows: QuerySet[Any]) -> int:
    return delete_some(rows, BATCH)


@transaction.atomic
def _delete_messages(rows: QuerySet[Any]) -> int:
    """One statement a table; a message taken up again meanwhile stays."""
    pks = list(rows.values_list("pk", flat=True)[:BATCH])
    locked = Message.objects.select_for_update(skip_locked=True).filter(
        pk__in=pks, state__in=(State.DELIVERED, State.GONE)
    )
    chosen = dict(locked.values_list("pk", "task_id"))
    for queryset in (
        DeliveryAttempt.objects.filter(message_id__in=chosen),
        TaskAPIKey.objects.filter(task_id__in=chosen.values()),
        Message.objects.filter(pk__in=chosen),
        TaskResult.objects.filter(pk__in=chosen.values()),
    ):
        queryset._raw_delete(queryset.db)
    return len(chosen)


def _delete_hosts(rows: QuerySet[Any]) -> int:
    """A host that gets its first message this moment stays."""
    try:
        return _delete_some(rows)
    except IntegrityError:
        return 0
