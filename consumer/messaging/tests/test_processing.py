"""Seeing to it that a message's work is done: what is published when, and when it is given up."""

from unittest import mock

from billiard.exceptions import SoftTimeLimitExceeded
from celery import states
from celery.exceptions import Ignore
from django.db import OperationalError
from django.test import TestCase, TransactionTestCase
from django_celery_results.models import TaskResult

from chassis import bell
from messaging import processing, results, services, tasks, webhook
from messaging.models import Message, State
from messaging.tests import base
from messaging.tests.base import SEND, TASKS, accept, body, finish, finished, new_id

SECRET = "abcdefgh.nobody-else-may-read-this"


class PublishTests(TransactionTestCase):
    """What is on the broker after the commit."""

    def setUp(self):
        base.fresh(self)
        base.clear_queues()
        self.api = base.client()

    def test_a_new_message_is_published_once_under_its_tasks_id(self):
        task_id = self.api.post(SEND, body(message_id=new_id())).json()["task_id"]
        (message,) = base.published()
        self.assertEqual(message.headers["id"], task_id)
        self.assertEqual(message.headers["task"], "messaging.process_message")

    def test_it_carries_what_the_task_needs_and_nothing_secret_or_personal(self):
        given = body(webhook_api_key=SECRET, address="13 Hidden St", phone_number="555-9999")
        self.api.post(SEND, given)
        (message,) = base.published()
        arguments, options, _ = message.decode()
        self.assertEqual(arguments, ["USD", "ABC123", "pending"])
        self.assertEqual(options, {"number": 1})
        everything = repr((message.headers, message.properties, message.body))
        for hidden in (SECRET, "Hidden", "555-9999", "status/update"):
            self.assertNotIn(hidden, everything)

    def test_it_carries_the_requests_id_for_the_worker_to_log(self):
        self.api.post(SEND, body(request_id="order-42"))
        (message,) = base.published()
        self.assertEqual(message.headers["request_id"], "order-42")

    def test_the_broker_drops_it_when_it_is_due_again_anyway(self):
        self.api.post(SEND, body())
        (message,) = base.published()
        self.assertEqual(message.properties["expiration"], "10000")
        self.assertIsNone(message.headers["expires"])  # that would compare two hosts' clocks

    def test_a_list_publishes_each_of_its_new_messages(self):
        known = new_id()
        self.api.post(SEND, body(message_id=known))
        base.published()
        answered = self.api.post(SEND, [body(), body(message_id=known), body()]).json()
        found = {message.headers["id"] for message in base.published()}
        self.assertEqual(found, {answered[0]["task_id"], answered[2]["task_id"]})

    def test_a_message_that_is_refused_publishes_nothing(self):
        self.api.post(SEND, [body(), body(address="")])
        self.assertEqual(base.published(), [])

    def test_a_finished_task_rings_for_its_delivery(self):
        finish(accept())
        self.assertEqual(base.rung("consumer.webhooks"), ["messaging.deliver_results"])

    def test_an_overdue_task_is_published_again_with_its_number_and_its_time(self):
        message = accept()
        found = []
        for _ in range(5):
            base.due_in(message, 0)
            processing.publish_batch()
            (again,) = base.published()
            self.assertEqual(again.headers["id"], message.task.task_id)
            found.append((again.decode()[1]["number"], again.properties["expiration"]))
        seconds = ["20000", "40000", "60000", "60000", "60000"]
        self.assertEqual(found, list(zip(range(2, 7), seconds, strict=True)))


class BrokerDownTests(TransactionTestCase):
    def setUp(self):
        base.fresh(self)
        base.clear_queues()
        self.api = base.client()

    def broker_down(self):
        return mock.patch("chassis.bell.send", side_effect=OSError("refused"))

    def test_it_is_202_and_pending_and_published_once_the_broker_is_back(self):
        with self.broker_down():
            response = self.api.post(SEND, body())
            task = self.api.get(response.json()["url"])
        self.assertEqual((response.status_code, task.json()["status"]), (202, "PENDING"))
        self.assertEqual(base.count(state=State.PROCESSING), 1)
        base.fresh(self)
        base.due_in(Message.objects.all(), 0)
        self.assertEqual(tasks.publish_due(), 1)
        (message,) = base.published()
        self.assertEqual(message.headers["id"], response.json()["task_id"])

    def test_a_list_tries_a_broker_that_is_away_once(self):
        with self.broker_down() as send:
            self.assertEqual(self.api.post(SEND, [body()] * 50).status_code, 202)
        self.assertEqual(send.call_count, 1)

    def test_the_next_request_does_not_try_it_again(self):
        with self.broker_down() as send:
            self.api.post(SEND, body())
            self.api.post(SEND, body())
        self.assertEqual(send.call_count, 1)

    def test_a_sweep_that_meets_it_counts_nothing_and_looks_again_after_5_seconds(self):
        messages = [accept() for _ in range(3)]
        base.due_in(Message.objects.all(), 0)
        with self.broker_down() as send:
            self.assertIsNone(processing.publish_batch())
        self.assertEqual(send.call_count, 1)
        for message in messages:
            self.assertAlmostEqual(base.seconds_until(message), 5, delta=3)
            message.refresh_from_db()
            self.assertEqual(message.attempts, 0)


class SweepTests(TestCase):
    """The schedule; the broker takes everything."""

    def setUp(self):
        base.fresh(self)
        self.publish = self.enterContext(mock.patch.object(bell, "publish", return_value=True))

    def sweep(self, message):
        base.due_in(message, 0)
        processing.publish_batch()
        message.refresh_from_db()

    def test_a_message_is_due_again_after_10_20_40_and_then_every_60_seconds(self):
        message = accept()
        found = [base.seconds_until(message)]
        for _ in range(5):
            self.sweep(message)
            found.append(base.seconds_until(message))
        for seconds, ahead in zip((10, 20, 40, 60, 60, 60), found, strict=True):
            self.assertAlmostEqual(ahead, seconds, delta=4)

    def test_it_goes_on_without_end_however_often_it_was_published(self):
        message = accept()
        Message.objects.update(attempts=5000)
        self.sweep(message)
        self.assertEqual((message.state, message.attempts), (State.PROCESSING, 5001))
        self.assertAlmostEqual(base.seconds_until(message), 60, delta=4)

    def test_a_message_that_is_not_due_or_has_its_result_is_left_alone(self):
        accept()
        base.due_in(finished(), 0)
        self.assertEqual(processing.publish_batch(), 0)
        self.publish.assert_not_called()

    def test_a_sweep_takes_a_bounded_batch_the_longest_waiting_first(self):
        rows = [accept() for _ in range(4)]
        for number, row in enumerate(rows):
            base.due_in(row, -number - 1)
        with mock.patch.object(processing, "SWEEP_BATCH", 2):
            self.assertEqual(processing.publish_batch(), 2)
        found = {call.kwargs["task_id"] for call in self.publish.call_args_list}
        self.assertEqual(found, {row.task.task_id for row in rows[2:]})

    def test_the_sweeps_task_goes_on_until_nothing_is_due(self):
        for _ in range(5):
            accept()
        base.due_in(Message.objects.all(), 0)
        with mock.patch.object(processing, "SWEEP_BATCH", 2):
            self.assertEqual(tasks.publish_due(), 5)

    def test_a_task_deleted_in_mid_sweep_stops_no_other(self):
        accept(), accept()
        base.due_in(Message.objects.all(), 0)
        one = TaskResult.objects.in_bulk()
        one.popitem()
        with mock.patch.object(processing.sql, "by_keys", return_value=one):
            self.assertEqual(processing.publish_batch(), 2)
        self.assertEqual(self.publish.call_count, 1)

    def test_a_result_that_comes_while_it_is_published_stands(self):
        message = accept()
        self.publish.side_effect = lambda *args, **kwargs: bool(finish(message))
        self.sweep(message)
        self.assertEqual((message.state, message.attempts), (State.DELIVERING, 0))
        self.assertLess(base.seconds_until(message), 1)


class ExecutionTests(TestCase):
    """Executions that began and never ended are counted, from the second publish on."""

    def setUp(self):
        base.fresh(self)
        self.publish = self.enterContext(mock.patch.object(bell, "publish", return_value=True))
        self.message = accept()

    def execute(self, number):
        """Run the task as the worker does; nothing of it is stored."""
        task = tasks.process_message
        task.push_request(id=self.message.task.task_id)
        try:
            return task.run("USD", "ABC123", "pending", number=number)
        finally:
            task.pop_request()
            self.message.refresh_from_db()

    def begin(self, number):
        """Run it without an end."""
        killed = mock.patch.object(processing, "work", side_effect=SoftTimeLimitExceeded)
        with killed, self.assertRaises(SoftTimeLimitExceeded):
            self.execute(number)

    def sweep(self):
        base.due_in(self.message, 0)
        processing.publish_batch()
        self.message.refresh_from_db()

    def test_the_first_costs_no_query(self):
        task = tasks.process_message
        with self.assertNumQueries(0):
            self.assertEqual(task.run("USD", "ABC123", "pending"), "USDABC123pending")
        self.assertEqual(self.message.executions, 0)

    def test_each_later_one_is_counted_before_it_begins(self):
        for number in (2, 3):
            self.begin(number)
        self.assertEqual(self.message.executions, 2)

    def test_those_whose_result_could_not_be_stored_are_not_counted(self):
        for number in range(2, 10):
            self.sweep()
            self.assertEqual(self.execute(number), "USDABC123pending")
        self.sweep()
        self.assertEqual((self.message.executions, self.message.state), (0, State.PROCESSING))

    def test_work_that_is_done_while_the_database_is_away_keeps_its_result(self):
        away = mock.patch.object(services, "end_execution", side_effect=OperationalError("away"))
        with away:
            self.assertEqual(self.execute(2), "USDABC123pending")

    def test_an_end_whose_beginning_was_lost_with_a_replica_changes_nothing(self):
        services.end_execution(task_id=self.message.task.task_id)
        self.message.refresh_from_db()
        self.assertEqual(self.message.executions, 0)

    def test_publishes_that_nobody_executed_are_not_counted(self):
        for _ in range(20):
            self.sweep()
        self.assertEqual((self.message.executions, self.message.state), (0, State.PROCESSING))

    def test_after_5_without_an_end_it_has_failed_and_the_order_is_cancelled(self):
        for number in range(2, 7):
            self.sweep()
            self.assertEqual(self.message.state, State.PROCESSING)
            self.begin(number)
        self.publish.reset_mock()
        self.sweep()
        self.publish.assert_not_called()
        self.message.task.refresh_from_db()
        self.assertEqual(
            (self.message.task.status, self.message.state), ("FAILURE", State.DELIVERING)
        )
        reason = results.outcome_of(self.message.task)
        self.assertEqual(reason, "NeverEnded: the task began 5 times more and never ended")
        self.assertEqual(webhook.body_of(self.message.task)["status"], "cancelled")

    def test_one_that_has_its_result_is_not_executed_again(self):
        finish(self.message)
        with self.assertRaises(Ignore):
            self.execute(2)
        self.assertEqual(self.message.executions, 0)

    def test_one_that_is_gone_is_not_executed(self):
        task = tasks.process_message
        task.push_request(id="no-such-task")
        self.addCleanup(task.pop_request)
        with self.assertRaises(Ignore):
            task.run("USD", "ABC123", "pending", number=2)


class DeletedTaskTests(TestCase):
    def test_a_deleted_task_is_neither_published_nor_delivered_any_more(self):
        base.fresh(self)
        accept(), finished()
        TaskResult.objects.all().delete()
        hook = base.webhook_answers(self)
        base.deliver()
        self.assertEqual((processing.publish_batch(), hook.calls, base.count()), (0, [], 0))

    def test_a_result_that_comes_for_a_deleted_task_makes_no_row(self):
        message = accept()
        message.task.delete()
        self.assertFalse(results.store(message.task.task_id, status=states.SUCCESS, result='"x"'))
        self.assertEqual(base.tasks(), 0)
        self.assertEqual(base.client().get(f"{TASKS}{message.task.task_id}/").status_code, 404)
