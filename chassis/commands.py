"""What the commands of both services share; each service's own say which rows they are about."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

PER_SECOND = 50  # rows made due, so that a receiver that has just recovered is not run over


def at_most(most: float) -> Callable[[str], float]:
    """For argparse: a number from 0 to `most`, which a date can still be counted back by."""

    def read(text: str) -> float:
        value = float(text)
        if not 0 <= value <= most:  # nor is NaN
            raise ArgumentTypeError(f"{text} is not from 0 to {most:g}")
        return value

    return read


MOST_DAYS = 36500


class RedeliverCommand(BaseCommand):
    """Sends rows again: those named, those that are unfinished for long, or all dead ones."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", metavar="ID", help=self.id_help)
        parser.add_argument("--dead", action="store_true", help=self.dead_help)
        parser.add_argument(
            "--older-than",
            type=at_most(MOST_DAYS * 24 * 60),
            metavar="MINUTES",
            help="all that are unfinished after so long",
        )
        parser.add_argument("--dry-run", action="store_true", help="say how many, change nothing")

    id_help: str
    dead_help: str

    def by_ids(self, ids: list[str]) -> QuerySet[Any]:
        raise NotImplementedError

    def dead(self) -> QuerySet[Any]:
        raise NotImplementedError

    def older_than(self, minutes: float) -> QuerySet[Any]:
        raise NotImplementedError

    def send(self, rows: QuerySet[Any], over_seconds: float) -> int:
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        rows = self._chosen(**options)
        count = rows.count()
        if options["ids"] and count < len(set(options["ids"])):
            raise CommandError(
                f"Only {count} of {len(set(options['ids']))} are there and can be sent again."
            )
        if options["dry_run"]:
            self.stdout.write(f"{count} would be sent again.")
            return
        sent = self.send(rows, count / PER_SECOND)
        self.stdout.write(f"{sent} are sent again, over {count / PER_SECOND:.0f} s.")

    def _chosen(
        self, ids: list[str], dead: bool, older_than: float | None, **options: Any
    ) -> QuerySet[Any]:
        if sum((bool(ids), dead, older_than is not None)) != 1:
            raise CommandError("Give either IDs, or --dead, or --older-than MINUTES.")
        if ids:
            return self.by_ids(ids)
        return self.dead() if dead else self.older_than(older_than or 0)


class PruneCommand(BaseCommand):
    """Deletes what is finished and old, in small batches, until nothing is left to delete."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days", type=at_most(MOST_DAYS), help="how old, instead of RETENTION_DAYS"
        )

    def batch(self, days: float | None) -> dict[str, int]:
        raise NotImplementedError

    def handle(self, *args: Any, days: float | None, **options: Any) -> None:
        total: dict[str, int] = {}
        while any((deleted := self.batch(days)).values()):
            for what, count in deleted.items():
                total[what] = total.get(what, 0) + count
        said = ", ".join(f"{count} {what}" for what, count in total.items() if count)
        self.stdout.write(f"Deleted {said or 'nothing'}.")
