"""The command `prune`, and what the worker runs each minute."""

from datetime import timedelta
from io import StringIO

from django.core.management import call_command
from django.test import TestCase
from django.utils import timezone

from orders.models import SendAttempt


class PruneTests(TestCase):
    def prune(self, *args: str) -> str:
        said = StringIO()
        call_command("prune", *args, stdout=said)
        return said.getvalue().strip()

    def test_where_nothing_is_old_nothing_is_deleted(self) -> None:
        self.assertEqual(self.prune(), "Deleted nothing.")

    def test_old_attempts_go_and_new_ones_stay(self) -> None:
        for days in (1, 31):
            at = timezone.now() - timedelta(days=days)
            SendAttempt.objects.create(order_id=1, at=at, ms=1)
        self.assertEqual(self.prune(), "Deleted 1 attempts.")
        self.assertEqual(self.prune("--days", "0.5"), "Deleted 1 attempts.")
