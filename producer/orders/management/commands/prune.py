"""`manage.py prune`: delete what is finished and old."""

from chassis.commands import PruneCommand
from orders import pruning


class Command(PruneCommand):
    help = (
        "Delete what is finished and older than RETENTION_DAYS, in small batches. The workers do "
        "this by themselves, a batch a minute. Example: manage.py prune --days 7"
    )

    def batch(self, days: float | None) -> dict[str, int]:
        return pruning.prune_batch(days)
