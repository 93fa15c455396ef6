"""`manage.py reconcile`: compare this service's orders with what the consumer knows of them."""

import sys
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any, ClassVar

from django.core.management.base import CommandError
from django.utils import timezone

from chassis.commands import MOST_DAYS, Progress, at_most
from chassis.commands import Command as BaseCommand
from orders import consumer, reconciliation


class Command(BaseCommand):
    help = (
        "Compare the orders of a window with the consumer's tasks and deliveries, by its API, and "
        "list every gap with what would mend it. It changes nothing. Orders younger than a minute "
        "are left out."
    )
    examples = ("", "--hours 2")
    exit_codes: ClassVar = {
        0: "no gap",
        1: "gaps, each of them listed",
        2: "the consumer can't be asked, or the arguments are not right",
    }

    def add_arguments(self, parser: ArgumentParser) -> None:
        hours = at_most(MOST_DAYS * 24)
        parser.add_argument("--hours", type=hours, default=24.0, help="how far back (default 24)")

    def handle(self, *args: Any, hours: float, **options: Any) -> None:
        now, found, progress = timezone.now(), 0, Progress(self)
        since = now - timedelta(hours=hours)
        try:
            for gap in reconciliation.find_gaps(since=since, until=now, progress=progress):
                found += 1
                progress.end()
                self.stdout.write(f"{gap.uuid} {gap.problem}\n    mend: {gap.repair}")
        except consumer.Unreachable as error:
            raise CommandError(f"The consumer can't be asked: {error}", returncode=2) from error
        finally:
            progress.end()
        if found:
            self.stdout.write(f"{found} gaps in the last {hours:g} hours.")
            sys.exit(1)
        self.stdout.write(f"No gap in the last {hours:g} hours.")
