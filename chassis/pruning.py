"""Deleting rows in small batches, so that it takes a moment and holds nobody up."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import QuerySet

from chassis.worker import stopping

MOMENT = 0.5  # seconds: what else is due in this worker waits so long


def delete_some(rows: "QuerySet[Any]", most: int) -> int:
    """Delete up to `most` of the rows, and nothing that hangs on them; returns how many went."""
    some = rows.filter(pk__in=list(rows.order_by().values_list("pk", flat=True)[:most]))
    return some._raw_delete(some.db) or 0  # None where there is nothing to delete


def prune_for_a_moment(batch: Callable[[], Mapping[str, int]]) -> dict[str, int]:
    """Delete batch after batch until nothing is left or the moment is over; returns their sums."""
    gone: Counter[str] = Counter()
    end = time.monotonic() + MOMENT
    while True:
        some = batch()
        gone.update(some)
        if not any(some.values()) or time.monotonic() > end or stopping.is_set():
            return dict(gone)
