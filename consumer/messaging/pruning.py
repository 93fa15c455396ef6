"""Deleting what is finished and old, in small batches: delivered and gone messages with their
results.
"""

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django_celery_results.models import TaskResult

from chassis.throttle import prune_counts
from messaging.models import DeliveryAttempt, Host, Message, State, TaskAPIKey, ThrottleCount

BATCH = 500  # rows; a delete of so many takes a moment, and holds nobody up


def prune_batch(days: float | None = None) -> dict[str, int]:
    """Delete one batch of each kind older than `days` (default RETENTION_DAYS); returns how many
    went.

    Dead messages stay: they are there to be sent again.
    """
    now = timezone.now()
    old = now - timedelta(days=settings.RETENTION_DAYS if days is None else days)
    ended = Message.objects.filter(state__in=(State.DELIVERED, State.GONE), created_at__lt=old)
    expired = TaskAPIKey.objects.filter(expiry_date__lt=now).values_list("pk", flat=True)[:BATCH]
    return {
        "messages with their results": _delete_messages(
            list(ended.values_list("pk", "task_id")[:BATCH])
        ),
        "expired task keys": TaskAPIKey.objects.filter(pk__in=list(expired)).delete()[0],
        "hosts without messages": _delete_hosts(),
        "throttle counts": prune_counts(ThrottleCount),
    }


@transaction.atomic
def _delete_messages(rows: list[tuple[int, int]]) -> int:
    """One statement a table; a message taken up again meanwhile stays."""
    pks = [pk for pk, _ in rows]
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


def _delete_hosts() -> int:
    """Hosts that no message names; one that gets its first message this moment stays."""
    unused = Host.objects.filter(~Exists(Message.objects.filter(host=OuterRef("pk"))))
    some = Host.objects.filter(pk__in=list(unused.values_list("pk", flat=True)[:BATCH]))
    try:
        return some._raw_delete(some.db) or 0  # None where there is nothing to delete
    except IntegrityError:
        return 0
