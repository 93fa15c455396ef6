"""The Celery app, its safety ring, and how a worker stops."""

import json
import logging
from types import SimpleNamespace
from unittest import TestCase
from unittest.mock import Mock, patch

from celery import current_app, signals
from celery.app.task import Context
from django.conf import settings
from django.test import override_settings

from chassis import bell, logs, worker

RINGS = [("a.drain", "mine", 1), ("a.prune", "mine", 60), ("b.drain", "another", 1)]


class AppTests(TestCase):
    def test_no_task_stores_a_result_unless_it_says_so(self):
        self.assertTrue(current_app.conf.task_ignore_result)

    def test_a_broker_is_never_given_up_and_never_waited_for_long(self):
        conf = current_app.conf
        self.assertIsNone(conf.broker_connection_max_retries)
        self.assertLessEqual(conf.broker_connection_timeout, 1)
        self.assertLessEqual(conf.task_publish_retry_policy["max_retries"], 1)

    def test_results_do_not_expire(self):
        self.assertIsNone(current_app.conf.result_expires)

    def test_every_safety_ring_is_for_a_queue_and_a_task_of_the_service(self):
        current_app.loader.import_default_modules()
        for task, queue, seconds in settings.SAFETY_RINGS:
            self.assertIn(task, current_app.tasks)
            self.assertIn(bell.queue_name(queue), current_app.amqp.queues)
            self.assertGreater(seconds, 0)

    def test_each_ring_has_a_queue_of_its_own(self):
        queues = [queue for _, queue, _ in settings.SAFETY_RINGS]
        self.assertEqual(len(set(queues)), len(queues))

    def test_a_ring_queue_holds_one_ring_for_a_moment(self):
        expected = {"x-max-length": 1, "x-message-ttl": 5000}
        self.assertEqual(worker.ring_queue("q").queue_arguments, expected)

    def test_a_work_queue_is_replicated(self):
        self.assertEqual(worker.work_queue("q").queue_arguments, {"x-queue-type": "quorum"})


class ReconnectTests(TestCase):
    def test_a_broker_that_is_away_is_looked_for_in_pauses_that_do_not_grow(self):
        consumer = object.__new__(worker.Consumer)
        consumer.app, consumer.first_connection_attempt = current_app, False
        connect = Mock()
        consumer.ensure_connected(SimpleNamespace(ensure_connection=connect))
        self.assertEqual(connect.call_args.kwargs["interval_step"], 0)


class IdsOfTasksTests(TestCase):
    def seen_by(self, **headers):
        """The ids that a line has which is logged in a task with these headers."""
        task = Mock(request=Context(headers))
        signals.task_prerun.send(sender=task, task_id="t", task=task)
        record = logging.makeLogRecord({"msg": "x"})
        event = json.loads(logs.JsonFormatter().format(record))
        signals.task_postrun.send(sender=task, task_id="t", task=task)
        after = json.loads(logs.JsonFormatter().format(record))
        self.assertFalse({"request_id", "task_id"} & set(after))
        return event.get("request_id"), event.get("task_id")

    def test_a_messages_task_logs_its_request_and_itself(self):
        self.assertEqual(self.seen_by(request_id="abc"), ("abc", "t"))

    def test_a_ring_logs_none(self):
        self.assertEqual(self.seen_by(), (None, None))


class SafetyRingTests(TestCase):
    def start(self, *queues):
        """A step that was started in a worker of these queues, and what its timer calls."""
        calls = Mock()
        parent = SimpleNamespace(
            timer=calls,
            app=SimpleNamespace(
                amqp=SimpleNamespace(
                    queues=SimpleNamespace(consume_from={bell.queue_name(q): None for q in queues})
                )
            ),
        )
        step = worker.SafetyRing(parent)
        with override_settings(SAFETY_RINGS=RINGS):
            step.start(parent)
        return step, calls.call_repeatedly

    def test_a_worker_rings_for_the_queues_that_it_consumes(self):
        _, calls = self.start("mine")
        self.assertEqual([call.args[0] for call in calls.call_args_list], [1, 60])
        with patch("chassis.bell.publish") as publish:
            for call in calls.call_args_list:
                call.args[1]()
        rung = [(call.args[0], call.kwargs["queue"]) for call in publish.call_args_list]
        self.assertEqual(rung, [("a.drain", "mine"), ("a.prune", "mine")])

    def test_a_worker_of_other_queues_rings_for_none(self):
        _, calls = self.start("third")
        self.assertFalse(calls.called)

    def test_a_container_sees_a_sign_of_life(self):
        with patch.dict("os.environ", WORKER_ALIVE_FILE="/run/alive"):
            _, calls = self.start()
        self.assertEqual([call.args[0] for call in calls.call_args_list], [worker.ALIVE_SECONDS])

    def test_it_ends_with_the_worker(self):
        step, calls = self.start("mine")
        step.stop(None)
        self.assertEqual(calls.return_value.cancel.call_count, 2)

    def test_it_waits_for_the_workers_timer(self):
        self.assertIn("celery.worker.components:Timer", worker.SafetyRing.requires)
        self.assertIn(worker.SafetyRing, current_app.steps["worker"])


class SignalTests(TestCase):
    def test_at_shutdown_drains_end_and_open_calls_are_cut(self):
        self.addCleanup(worker.stopping.clear)
        with patch("chassis.http.cut_open_calls") as cut:
            signals.worker_shutting_down.send(sender=None)
        self.assertTrue(worker.stopping.is_set())
        cut.assert_called_once_with()

    def test_broken_connections_are_dropped_before_each_task(self):
        with patch("chassis.worker.close_old_connections") as close:
            signals.task_prerun.send(sender=None)
        close.assert_called_once_with()

    def test_a_worker_logs_as_the_service_does(self):
        with patch("logging.config.dictConfig") as configure:
            signals.setup_logging.send(sender=None)
        configure.assert_called_once_with(settings.LOGGING)
