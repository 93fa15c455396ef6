"""`manage.py create_api_key`: make an API key and print it, once."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone
from rest_framework_api_key.models import APIKey

from chassis.commands import MISUSED
from chassis.commands import Command as BaseCommand
from chassis.keys import scoped_model


class Command(BaseCommand):
    help = (
        "Make an API key and print it; only its hash is kept, so it can be seen this once. "
        "A service key opens the whole service, a scoped one a single row."
    )
    examples = ("--name reporting", "--name reporting --expires 90")

    def add_arguments(self, parser: ArgumentParser) -> None:
        model = scoped_model()
        parser.add_argument(
            "--name", required=True, help="what the key is for, up to 50 characters"
        )
        parser.add_argument(
            f"--{model.scope}",
            dest="row",
            metavar=model.lookup.upper(),
            help=f"open this {model.scope} only",
        )
        parser.add_argument("--expires", type=int, metavar="DAYS", help="how long it is good for")

    def handle(
        self, *args: Any, name: str, row: str | None, expires: int | None, **options: Any
    ) -> None:
        if not 0 < len(name) <= 50:
            raise CommandError("--name takes 1 to 50 characters.", returncode=MISUSED)
        if expires is not None and not 0 < expires <= 36500:
            raise CommandError("--expires takes 1 to 36500 days.", returncode=MISUSED)
        columns: dict[str, Any] = {"name": name}
        if expires is not None:
            columns["expiry_date"] = timezone.now() + timedelta(days=expires)
        model: Any = APIKey
        if row is not None:
            model = scoped_model()
            columns[model.scope] = self._row(model, row)
        _, key = model.objects.create_key(**columns)
        self.stdout.write(key)

    @staticmethod
    def _row(model: Any, value: str) -> Any:
        rows = model._meta.get_field(model.scope).related_model.objects
        try:
            found = rows.filter(**{model.lookup: value}).first()
        except (ValidationError, ValueError):
            found = None
        if found is None:
            raise CommandError(f"There is no {model.scope} with {model.lookup} {value}.")
        return found
