"""`manage.py prune`: delete what is finished and old."""

from chassis.commands import PruneCommand
from messaging import pruning


class Command(PruneCommand):
    pruning = pruning
