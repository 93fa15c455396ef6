"""What the tests of both services share: how they are run, and the outbox's promises.

A service mixes OutboxTests into a TestCase and OutboxContentionTests into a TransactionTestCase,
and says how one of its rows is made and which are due.
"""

import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from celery import current_app
from django.conf import settings
from django.db import connection, models
from django.db.models.functions import Now
from django.test.runner import DiscoverRunner

from chassis import outbox
from chassis.clock import SecondsFromNow
from chassis.outbox import LEASE, Outcome, claim, record
from chassis.sql import Prepared

Result = TypeVar("Result")

TOLERANCE = timedelta(seconds=5)  # between two looks at the database's clock, on a busy machine


class Runner(DiscoverRunner):
    """Django's, with SQLite on a file, as it is used.

    Connections that share one database in memory don't wait for each other's locks.
    `manage.py test chassis` runs the chassis's own tests, in the settings of the service.
    """

    def setup_databases(self, **kwargs: Any) -> Any:
        if connection.vendor == "sqlite":
            self.folder = tempfile.TemporaryDirectory(prefix="test-")
            connection.settings_dict["TEST"]["NAME"] = str(Path(self.folder.name) / "db.sqlite3")
        return super().setup_databases(**kwargs)

    def teardown_test_environment(self, **kwargs: Any) -> None:
        """Remove the run's queues from a RabbitMQ."""
        if settings.CELERY_BROKER_URL.startswith("amqp"):
            with current_app.connection_for_write() as broker:
                for queue in current_app.amqp.queues.values():
                    queue(broker.default_channel).delete()
        super().teardown_test_environment(**kwargs)

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        super().teardown_databases(old_config, **kwargs)
        if connection.vendor == "sqlite":
            self.folder.cleanup()


def at_once(count: int, call: Callable[[int], Result]) -> list[Result]:
    """What `call(0)`, `call(1)` … return, each run in a thread and on a connection of its own.

    They start together. Raises what the first of them raised. For a TransactionTestCase alone: the
    other threads see nothing of a transaction that is open in this one.
    """
    start = threading.Barrier(count)

    def run(number: int) -> Result:
        try:
            start.wait(10)
            return call(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def deleted_before(kind: str, rows: models.QuerySet[Any]) -> AbstractContextManager[None]:
    """These rows are deleted before each statement of a kind, such as UPDATE, as by another process
    at that moment.
    """

    def delete_first(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        if sql.startswith(kind):
            rows.delete()
        return execute(sql, *args)

    return connection.execute_wrapper(delete_first)


class OutboxCase:
    """How the service's own row is made and found."""

    changes: ClassVar[dict[str, Any]]  # a column, and a value that no new row has

    def make_row(self) -> outbox.Outbox:
        """A new row, saved and due now."""
        raise NotImplementedError

    def due(self) -> "Prepared[Any]":
        """The keys of the rows to claim, the longest due first."""
        raise NotImplementedError

    def make_rows(self, count: int) -> list[Any]:
        """Rows that are due, the first for the longest time."""
        rows = [self.make_row() for _ in range(count)]
        for ago, row in enumerate(reversed(rows), start=1):
            self.due_in(row, -ago)
        return rows

    def due_in(self, row: Any, seconds: float | None) -> None:
        """Move a row's time, as if the clock had moved; None: it is never due."""
        due_at = None if seconds is None else SecondsFromNow(models.Value(seconds))
        type(row).objects.filter(pk=row.pk).update(due_at=due_at)

    def seconds_ahead(self, row: Any) -> float:
        """How far `due_at` is ahead of the database's clock."""
        found = type(row).objects.annotate(now=Now()).get(pk=row.pk)
        return (found.due_at - found.now).total_seconds()


class OutboxTests(OutboxCase):
    """Claim and record, for a TestCase."""

    def test_a_claim_takes_due_rows_by_urgency_up_to_its_limit(self):
        rows = self.make_rows(3)
        self.assertCountEqual(claim(self.due(), 2), rows[:2])
        self.assertEqual(claim(self.due(), 2), rows[2:])

    def test_a_claim_of_nothing_is_empty(self):
        self.assertEqual(claim(self.due(), 10), [])

    def test_a_row_that_is_not_due_yet_or_never_is_not_claimed(self):
        later, never, now = self.make_rows(3)
        self.due_in(later, 60)
        self.due_in(never, None)
        self.assertEqual(claim(self.due(), 10), [now])

    def test_a_claim_is_one_query(self):
        self.make_rows(5)
        with self.assertNumQueries(1):
            claim(self.due(), 5)

    def test_a_claimed_row_is_due_again_after_its_lease(self):
        (row,) = self.make_rows(1)
        claim(self.due(), 1)
        self.assertAlmostEqual(self.seconds_ahead(row), LEASE, delta=TOLERANCE.total_seconds())
        self.assertEqual(claim(self.due(), 1), [])
        self.due_in(row, 0)
        self.assertEqual(claim(self.due(), 1), [row])

    def test_the_attempt_is_counted_at_the_claim(self):
        (row,) = self.make_rows(1)
        for times in (1, 2):
            (claimed,) = claim(self.due(), 1)
            row.refresh_from_db()
            self.assertEqual((claimed.claims, claimed.attempts), (times, times))
            self.assertEqual((row.claims, row.attempts), (times, times))
            self.due_in(row, 0)

    def test_a_claim_says_when_by_the_databases_clock(self):
        (row,) = self.make_rows(1)
        (claimed,) = claim(self.due(), 1)
        now = type(row).objects.values_list(Now(), flat=True).get(pk=row.pk)
        self.assertLess(abs(now - claimed.claimed_at), TOLERANCE)

    def test_a_record_writes_when_the_row_is_due_its_attempts_and_its_error(self):
        (row,) = self.make_rows(1)
        (claimed,) = claim(self.due(), 1)
        record([Outcome(claimed, due_in=90, attempts=7, error="e" * 300)])
        self.assertAlmostEqual(self.seconds_ahead(row), 90, delta=TOLERANCE.total_seconds())
        row.refresh_from_db()
        self.assertEqual((row.claims, row.attempts, row.last_error), (1, 7, "e" * 255))

    def test_a_row_recorded_as_due_never_is_not_claimed_again(self):
        (row,) = self.make_rows(1)
        (claimed,) = claim(self.due(), 1)
        record([Outcome(claimed, due_in=None, attempts=1)])
        row.refresh_from_db()
        self.assertIsNone(row.due_at)
        self.assertEqual(claim(self.due(), 1), [])

    def test_a_row_recorded_as_due_at_once_is_claimed_again(self):
        (row,) = self.make_rows(1)
        (claimed,) = claim(self.due(), 1)
        record([Outcome(claimed, due_in=0, attempts=0)])
        self.assertEqual(claim(self.due(), 1), [row])

    def test_rows_with_other_changes_are_recorded_side_by_side(self):
        first, second, third = self.make_rows(3)
        before = {name: getattr(second, name) for name in self.changes}
        outcomes = [Outcome(row, due_in=60, attempts=1) for row in claim(self.due(), 3)]
        for outcome in outcomes:
            outcome.changes = {} if outcome.row.pk == second.pk else self.changes
        record(outcomes)
        for row, expected in ((first, self.changes), (second, before), (third, self.changes)):
            row.refresh_from_db()
            self.assertEqual({name: getattr(row, name) for name in self.changes}, expected)

    def test_a_batch_is_recorded_in_one_query(self):
        self.make_rows(5)
        outcomes = [Outcome(row, due_in=60, attempts=1) for row in claim(self.due(), 5)]
        with self.assertNumQueries(1):
            record(outcomes)

    def test_a_record_of_nothing_asks_the_database_nothing(self):
        with self.assertNumQueries(0):
            record([])

    def test_who_records_after_another_claim_changes_nothing(self):
        late, other = self.make_rows(2)
        claimed = claim(self.due(), 2)
        self.due_in(late, 0)
        claim(self.due(), 1)
        before = type(late).objects.filter(pk=late.pk).values().get()
        outcomes = [
            Outcome(row, due_in=None, attempts=9, error="late", changes=self.changes)
            for row in claimed
        ]
        record(outcomes)
        self.assertEqual(type(late).objects.filter(pk=late.pk).values().get(), before)
        other.refresh_from_db()
        self.assertEqual(other.last_error, "late")

    def test_a_row_deleted_since_its_claim_keeps_no_other_from_being_recorded(self):
        deleted, other = self.make_rows(2)
        claimed = claim(self.due(), 2)
        type(deleted).objects.filter(pk=deleted.pk).delete()
        record(Outcome(row, due_in=60, attempts=1) for row in claimed)
        self.assertAlmostEqual(self.seconds_ahead(other), 60, delta=TOLERANCE.total_seconds())

    def test_a_drain_handles_every_row_in_batches(self):
        rows, handled = self.make_rows(5), []

        def step() -> int:
            claimed = claim(self.due(), 2)
            record(Outcome(row, due_in=60, attempts=1) for row in claimed)
            handled.append(len(claimed))
            return len(claimed)

        self.assertEqual(outbox.drain(step, full=50, ring=self.fail), 5)
        self.assertEqual(handled, [2, 2, 1, 0, 0])
        self.assertEqual({row.claims for row in type(rows[0]).objects.all()}, {1})


class OutboxContentionTests(OutboxCase):
    """Several senders at once, for a TransactionTestCase."""

    rows, batch = 60, 7

    @property
    def senders(self) -> int:
        return 8 if connection.vendor == "postgresql" else 3  # SQLite has one writer at a time

    def claim_all(self, number: int) -> list[Any]:
        claimed: list[Any] = []
        while batch := claim(self.due(), self.batch):
            assert len(batch) <= self.batch, "more than the limit was claimed"
            claimed += batch
        return claimed

    def test_every_row_is_claimed_exactly_once(self):
        rows = self.make_rows(self.rows)
        claimed = at_once(self.senders, self.claim_all)
        self.assertCountEqual([row for part in claimed for row in part], rows)
        self.assertEqual({row.claims for row in type(rows[0]).objects.all()}, {1})

    def test_of_several_that_hold_one_row_in_turn_the_last_alone_records(self):
        (row,) = self.make_rows(1)
        held = []
        for _ in range(self.senders):
            held += claim(self.due(), 1)
            self.due_in(row, 0)

        def tell(number: int) -> None:
            record([Outcome(held[number], due_in=60, attempts=1, error=f"sender {number}")])

        at_once(self.senders, tell)
        row.refresh_from_db()
        self.assertEqual(row.last_error, f"sender {self.senders - 1}")


class ProblemAssertions:
    """Checks of error answers, for a TestCase."""

    def assert_problem(self, response: Any, status: int) -> Any:
        """A problem of RFC 9457 with this status; returns its body."""
        self.assertEqual(response.status_code, status, response.content)
        self.assertEqual(response.headers["Content-Type"], "application/problem+json")
        body = response.json()
        self.assertEqual(body["status"], status)
        self.assertEqual(body["type"], "about:blank")
        self.assertTrue(body["title"] and body["detail"], body)
        return body

    def assert_invalid(self, response: Any, *fields: str, status: int = 400) -> None:
        """A problem that names exactly these fields, each with a message and a code."""
        errors = self.assert_problem(response, status)["errors"]
        self.assertEqual(sorted(error["field"] for error in errors), sorted(fields))
        self.assertTrue(all(error["message"] and error["code"] for error in errors), errors)
