"""Deleting what is finished and old, in small batches; never orders, never their results."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from chassis.clock import Now, SecondsFromNow
from chassis.pruning import delete_some
from chassis.throttle import old_counts
from orders.models import OrderAPIKey, SendAttempt
from users.models import ThrottleCount

BATCH = 1000  # rows


def prunable(days: float | None = None) -> dict[str, QuerySet[Any]]:
    """What is finished and older than `days` (default RETENTION_DAYS), by its kind."""
    days = settings.RETENTION_DAYS if days is None else days
    old = SecondsFromNow(-days * 86400.0)
    return {
        "attempts": SendAttempt.objects.filter(at__lt=old),
        # One that was revoked stays: its order might be sent again, with the same key.
        "expired order keys": OrderAPIKey.objects.filter(expiry_date__lt=Now(), revoked=False),
        "throttle counts": old_counts(ThrottleCount),
    }


def prune_batch(days: float | None = None) -> dict[str, int]:
    """Delete one batch of each kind; returns how many went."""
    return {kind: delete_some(rows, BATCH) for kind, rows in prunable(days).items()}
