"""`manage.py prune`: delete what is finished and old."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from chassis.commands import PruneCommand
from messaging import pruning


class Command(PruneCommand):
    def prunable(self, days: float | None) -> Mapping[str, QuerySet[Any]]:
        return pruning.prunable(days)

    def batch(self, days: float | None) -> Mapping[str, int]:
        return pruning.prune_batch(days)
