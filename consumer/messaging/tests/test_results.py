"""How a task's result is stored, what is none, and the receiver that sets the delivery off."""

import json
from unittest import mock

from billiard.exceptions import (
    SoftTimeLimitExceeded,
    Terminated,
    TimeLimitExceeded,
    WorkerLostError,
)
from celery import current_app, states
from celery.exceptions import Ignore, Reject
from django.core import serializers
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
)
from django.test import TestCase, TransactionTestCase
from django_celery_results.models import TaskResult

from messaging import results
from messaging.models import Message, MessageQuerySet, State
from messaging.tests import base
from messaging.tests.base import accept, finish, finished

ALL = (
    "PENDING",
    "RECEIVED",
    "STARTED",
    "SUCCESS",
    "FAILURE",
    "REVOKED",
    "RETRY",
    "REJECTED",
    "IGNORED",
)
FINAL = ("SUCCESS", "FAILURE", "REVOKED")


def columns(message):
    return Message.objects.values("state", "due_at", "claims", "attempts", "delivering_since").get(
        pk=message.pk
    )


class StoreTests(TestCase):
    def setUp(self):
        base.fresh(self)
        self.task = accept().task

    def store(self, status, result="x"):
        return results.store(self.task.task_id, status=status, result=json.dumps(result))

    def test_a_result_is_stored_as_json_with_its_time(self):
        before = self.task.date_done
        self.assertTrue(self.store("SUCCESS", "TNDABC123pending"))
        self.task.refresh_from_db()
        self.assertEqual((self.task.status, self.task.result), ("SUCCESS", '"TNDABC123pending"'))
        self.assertGreater(self.task.date_done, before)

    def test_the_end_of_a_task_is_logged_with_its_id(self):
        with self.assertLogs("messaging.results", "INFO") as logged:
            self.store("SUCCESS")
            self.store("FAILURE")
        said = [(r.getMessage(), r.task_id, r.task_status) for r in logged.records]
        task_id = self.task.task_id
        expected = [("task ended", task_id, "SUCCESS"), ("result not stored", task_id, "SUCCESS")]
        self.assertEqual(said, expected)

    def test_the_first_final_state_wins_whatever_comes_after(self):
        for first in FINAL:
            self.task = accept().task
            self.store(first, first)
            for later in ALL:
                with self.subTest(first, later=later):
                    self.assertFalse(self.store(later, "later"))
            self.task.refresh_from_db()
            self.assertEqual((self.task.status, json.loads(self.task.result)), (first, first))

    def test_states_on_the_way_are_written_over(self):
        for status in ("STARTED", "RETRY", "SUCCESS"):
            self.assertTrue(self.store(status))
        self.task.refresh_from_db()
        self.assertEqual(self.task.status, "SUCCESS")

    def test_an_unknown_task_makes_no_row(self):
        self.assertFalse(results.store("no-such-task", status="SUCCESS", result=None))
        self.assertEqual(base.tasks(), 1)

    def test_what_the_row_was_made_with_stays(self):
        before = self.task.date_created
        self.store("SUCCESS")
        self.task.refresh_from_db()
        self.assertEqual(
            (self.task.date_created, self.task.task_name), (before, "messaging.process_message")
        )


class BackendTests(TransactionTestCase):
    """The backend as Celery calls it."""

    def setUp(self):
        base.fresh(self)
        self.backend = current_app.backend
        self.message = accept()
        self.task = self.message.task

    def stored(self):
        self.task.refresh_from_db()
        return self.task.status, results.outcome_of(self.task)

    def test_it_is_the_backend_that_the_worker_uses(self):
        self.assertIsInstance(self.backend, results.ResultBackend)

    def test_a_value_returned_is_a_success(self):
        self.backend.mark_as_done(self.task.task_id, "TNDABC123pending")
        self.assertEqual(self.stored(), ("SUCCESS", "TNDABC123pending"))

    def test_an_exception_of_the_tasks_own_code_is_its_result_at_once(self):
        self.backend.mark_as_failure(self.task.task_id, ValueError("no"), traceback="Traceback …")
        self.assertEqual(self.stored(), ("FAILURE", "ValueError: no"))
        self.assertEqual(self.task.traceback, "Traceback …")
        self.message.refresh_from_db()
        self.assertEqual(self.message.state, State.DELIVERING)

    def test_what_says_nothing_about_the_message_stores_nothing(self):
        before = columns(self.message)
        for error in (
            WorkerLostError("signal 9"), TimeLimitExceeded(60), SoftTimeLimitExceeded(50),
            Terminated("15"), OperationalError("away"), InterfaceError("closed"), Ignore(),
            Reject("no"),
        ):  # fmt: skip
            with self.subTest(type(error).__name__):
                with self.assertLogs("messaging.results", "WARNING"):
                    self.backend.mark_as_failure(self.task.task_id, error, traceback="…")
                self.assertEqual(self.stored(), ("PENDING", None))
        self.assertEqual(columns(self.message), before)

    def test_a_second_result_changes_nothing(self):
        self.backend.mark_as_done(self.task.task_id, "first")
        self.backend.mark_as_done(self.task.task_id, "second")
        self.backend.mark_as_failure(self.task.task_id, ValueError("late"))
        self.assertEqual(self.stored(), ("SUCCESS", "first"))

    def test_it_never_creates_a_row(self):
        self.backend.mark_as_done("a-task-of-another-database", "x")
        self.assertEqual(base.tasks(), 1)

    def failing(self, times, error):
        """Have the first statements that write a result fail as if the database were away."""
        left = [error] * times

        def execute(run, sql, params, many, context):
            if sql.startswith(("UPDATE", "EXECUTE")) and left:
                raise left.pop()
            return run(sql, params, many, context)

        self.enterContext(connection.execute_wrapper(execute))
        self.enterContext(mock.patch.object(self.backend, "_sleep"))
        # A new connection would have lost the wrapper.
        self.closing = self.enterContext(mock.patch.object(connection, "close"))

    def test_with_the_database_away_a_result_waits_for_it_on_a_new_connection(self):
        self.failing(3, OperationalError("server closed the connection"))
        with self.assertLogs("celery", "WARNING"):
            self.backend.mark_as_done(self.task.task_id, "kept")
        self.assertEqual((self.stored(), self.closing.call_count), (("SUCCESS", "kept"), 3))

    def test_another_error_of_the_database_is_not_tried_again(self):
        self.failing(1, DatabaseError("broken"))
        with self.assertRaises(DatabaseError):
            self.backend.mark_as_done(self.task.task_id, "lost")
        self.assertEqual(self.stored(), ("PENDING", None))

    def test_which_errors_are_worth_another_try(self):
        self.enterContext(mock.patch.object(connection, "close"))
        for error, expected in (
            (OperationalError(), True),
            (InterfaceError(), True),
            (InternalError("cannot execute UPDATE in a read-only transaction"), True),
            (DatabaseError(), False),
            (ValueError(), False),
        ):
            self.assertIs(self.backend.exception_safe_to_retry(error), expected)

    def test_a_delivery_that_cant_begin_leaves_neither_result_nor_delivery(self):
        begin = MessageQuerySet.begin_delivery_sql

        def impossible(*args):
            return begin(*args).replace("'delivering'", "'nonsense'")

        self.addCleanup(results._ending.cache_clear)  # the statement is kept
        results._ending.cache_clear()
        failing = mock.patch.object(MessageQuerySet, "begin_delivery_sql", impossible)
        with failing, self.assertRaises(IntegrityError):
            self.backend.mark_as_done(self.task.task_id, "lost")
        self.assertEqual(self.stored(), ("PENDING", None))


class ReceiverTests(TestCase):
    """Every state that Celery knows; only a message in process that becomes final is delivered."""

    def setUp(self):
        base.fresh(self)

    def test_a_final_state_has_it_delivered_and_no_other_does(self):
        self.assertLessEqual(states.ALL_STATES, set(ALL))
        for status in ALL:
            with self.subTest(status):
                message = accept()
                before = columns(message)
                message.task.status = status
                message.task.save()
                if status in FINAL:
                    message.refresh_from_db()
                    self.assertEqual((message.state, message.attempts), (State.DELIVERING, 0))
                    self.assertLess(base.seconds_until(message), 1)
                    self.assertIsNotNone(message.delivering_since)
                    self.assertGreater(message.claims, before["claims"])
                else:
                    self.assertEqual(columns(message), before)

    def test_a_redelivered_success_changes_nothing_whatever_became_of_the_first(self):
        for state in (State.DELIVERING, State.DELIVERED, State.GONE, State.DEAD):
            with self.subTest(state):
                message = finished()
                Message.objects.filter(pk=message.pk).update(state=state, attempts=3)
                base.due_in(message, 3600)
                before = columns(message)
                with self.captureOnCommitCallbacks() as callbacks:
                    message.task.save()
                    finish(message, result="another")
                self.assertEqual((columns(message), callbacks), (before, []))

    def test_a_row_without_a_message_sets_nothing_off(self):
        with self.captureOnCommitCallbacks() as callbacks:
            for status in ALL:
                TaskResult.objects.create(task_id=f"made-{status}", status=status)
                TaskResult.objects.create(task_id=f"saved-{status}").save()
        self.assertEqual((callbacks, base.count()), ([], 0))

    def test_a_fixture_that_is_loaded_sets_nothing_off(self):
        message = accept()
        message.task.status = "SUCCESS"
        fixture = serializers.serialize("json", [message.task])
        before = columns(message)
        for row in serializers.deserialize("json", fixture):
            row.save()
        message.task.refresh_from_db()
        self.assertEqual((message.task.status, columns(message)), ("SUCCESS", before))

    def test_it_rings_once_for_each_result_and_only_after_the_commit(self):
        message = accept()
        hook = base.webhook_answers(self)
        with self.captureOnCommitCallbacks() as callbacks:
            finish(message)
            self.assertEqual(hook.calls, [])
        self.assertEqual(len(callbacks), 1)


class OutcomeTests(TestCase):
    def test_a_result_is_decoded_and_a_failure_is_a_short_reason(self):
        for status, stored, expected in (
            ("SUCCESS", '"TND"', "TND"),
            ("SUCCESS", '{"exc_type": "E"}', {"exc_type": "E"}),
            ("SUCCESS", None, None),
            ("SUCCESS", "", None),
            ("SUCCESS", "not json", "not json"),
            ("PENDING", None, None),
            ("FAILURE", '{"exc_type": "E", "exc_message": ["a", 1]}', "E: a 1"),
            ("FAILURE", '{"exc_type": "E", "exc_message": "a"}', "E: a"),
            ("FAILURE", '{"exc_type": "E", "exc_message": []}', "E"),
            ("FAILURE", '{"exc_type": "E"}', "E"),
            ("FAILURE", '"said"', "said"),
            (
                "REVOKED",
                '{"exc_type": "TaskRevokedError", "exc_message": ["x"]}',
                "TaskRevokedError: x",
            ),
        ):
            with self.subTest(status, stored=stored):
                found = results.outcome_of(TaskResult(status=status, result=stored))
                self.assertEqual(found, expected)
