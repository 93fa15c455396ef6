"""What the commands of both services share; each service's own say which rows they are about."""

import textwrap
import time
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any, ClassVar
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, DjangoHelpFormatter
from django.db.models import QuerySet

REFUSED, MISUSED = 1, 2  # exit codes: it can't be done, it was not asked for rightly
PER_SECOND = 50  # rows made due, so that a receiver that has just recovered is not run over
AT_ONCE = 1000  # rows written by one statement
MOST_DAYS = 36500
WIDTH = 79  # columns of a help text


class _HelpFormatter(RawDescriptionHelpFormatter, DjangoHelpFormatter):
    """Keeps the lines of the text around the arguments as they are."""


class Command(BaseCommand):
    """A command whose `--help` ends with examples, and with what its exit codes mean."""

    examples: ClassVar[tuple[str, ...]]
    exit_codes: ClassVar[Mapping[int, str]] = {
        0: "done",
        REFUSED: "it can't be done; nothing was changed",
        MISUSED: "the arguments are not right; nothing was changed",
    }

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        parser = super().create_parser(
            prog_name, subcommand, formatter_class=_HelpFormatter, **kwargs
        )
        parser.description = textwrap.fill(self.help, WIDTH)
        lines = ["examples:", *(f"  manage.py {subcommand} {example}" for example in self.examples)]
        lines += [
            "",
            "exit codes:",
            *(f"  {code}  {what}" for code, what in self.exit_codes.items()),
        ]
        parser.epilog = "\n".join(line.rstrip() for line in lines)
        return parser


class Progress:
    """One line that says how far a command is, for a person at a terminal; nothing otherwise."""

    SECONDS = 0.2  # between two changes, for the eye

    def __init__(self, command: BaseCommand) -> None:
        self.stream: Any = command.stderr
        self.is_shown = bool(self.stream.isatty())
        self.next_at = 0.0

    def __call__(self, text: str) -> None:
        if self.is_shown and time.monotonic() >= self.next_at:
            self.next_at = time.monotonic() + self.SECONDS
            self._write(text)

    def end(self) -> None:
        """Leave the line empty for what is said next."""
        if self.is_shown:
            self._write("")

    def _write(self, text: str) -> None:
        self.stream.write(f"\r\x1b[K{text}", lambda plain: plain, ending="")
        self.stream.flush()


def uuids_in(texts: Iterable[str]) -> list[UUID]:
    """Those of the texts that are UUIDs."""
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(UUID(text))
    return found


def at_most(most: float) -> Callable[[str], float]:
    """For argparse: a number from 0 to `most`, which a date can still be counted back by."""

    def read(text: str) -> float:
        value = float(text)
        if not 0 <= value <= most:  # nor is NaN
            raise ArgumentTypeError(f"{text} is not from 0 to {most:g}")
        return value

    return read


class RedeliverCommand(Command):
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
        if missing := [one for one in options["ids"] if not self.by_ids([one]).exists()]:
            said = ", ".join(missing)
            raise CommandError(f"Not there, or not to be sent again: {said}. Nothing was done.")
        count = rows.count()
        if options["dry_run"]:
            self.stdout.write(f"{count} would be sent again.")
            return
        sent, progress = 0, Progress(self)
        for some in parts(rows):
            sent += self.send(some, count / PER_SECOND)  # each part is spread over the whole time
            progress(f"{sent} of {count}")
        progress.end()
        self.stdout.write(f"{sent} are sent again, over {count / PER_SECOND:.0f} s.")

    def _chosen(
        self, ids: list[str], dead: bool, older_than: float | None, **options: Any
    ) -> QuerySet[Any]:
        if sum((bool(ids), dead, older_than is not None)) != 1:
            raise CommandError(
                "Give either IDs, or --dead, or --older-than MINUTES.", returncode=MISUSED
            )
        if ids:
            return self.by_ids(ids)
        return self.dead() if dead else self.older_than(older_than or 0)


def parts(rows: QuerySet[Any]) -> Iterator[QuerySet[Any]]:
    """The rows, as many at once as one statement should write."""
    last = 0
    while keys := list(
        rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:AT_ONCE]
    ):
        last = keys[-1]
        yield rows.filter(pk__in=keys)


class PruneCommand(Command):
    """Deletes what is finished and old, in small batches, until nothing is left to delete."""

    help = (
        "Delete what is finished and older than RETENTION_DAYS, in small batches. The workers do "
        "this by themselves, for half a second each minute."
    )
    examples = ("", "--days 7", "--days 7 --dry-run")

    pruning: ModuleType  # the service's: what may go, and a batch of it

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days", type=at_most(MOST_DAYS), help="how old, instead of RETENTION_DAYS"
        )
        parser.add_argument("--dry-run", action="store_true", help="say how many, delete nothing")

    def handle(self, *args: Any, days: float | None, dry_run: bool, **options: Any) -> None:
        if dry_run:
            counts = {what: rows.count() for what, rows in self.pruning.prunable(days).items()}
            self.stdout.write(f"Would delete {_said(counts)}.")
            return
        total: dict[str, int] = {}
        progress = Progress(self)
        while any((deleted := self.pruning.prune_batch(days)).values()):
            for what, count in deleted.items():
                total[what] = total.get(what, 0) + count
            progress(f"Deleted {_said(total)} so far")
        progress.end()
        self.stdout.write(f"Deleted {_said(total)}.")


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing"
