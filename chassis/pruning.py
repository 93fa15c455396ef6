"""Deleting rows in small batches, so that it takes a moment and holds nobody up."""

from typing import Any

from django.db.models import QuerySet


def delete_some(rows: "QuerySet[Any]", most: int) -> int:
    """Delete up to `most` of the rows, and nothing that hangs on them; returns how many went."""
    some = rows.filter(pk__in=list(rows.order_by().values_list("pk", flat=True)[:most]))
    return some._raw_delete(some.db) or 0  # None where there is nothing to delete
