"""The tasks in a real worker: what one returns is stored, and its signal has it delivered."""

import threading
from unittest import mock

from celery import current_app, states
from celery.contrib.testing.worker import start_worker
from celery.signals import task_postrun, task_prerun
from django.conf import settings
from django.db import OperationalError, connection
from django.test import SimpleTestCase, TransactionTestCase, override_settings
from django_celery_results.models import TaskResult
from kombu.transport import virtual

from chassis import http
from messaging import delivery, processing, services
from messaging.models import Message, State
from messaging.tests import base
from messaging.tests.base import SEND, accept, answer, body


class WorkerTestCase(TransactionTestCase):
    """A worker in this process, in a thread of its own; Celery's signal tells what it has done."""

    rings: list[tuple[str, str, int]] = []

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        base.clear_queues()
        cls.ended, cls.done = threading.Semaphore(0), []
        cls.at_work = threading.Lock()
        for signal, receiver in ((task_prerun, cls.begin), (task_postrun, cls.note)):
            signal.connect(receiver)
            cls.addClassCleanup(signal.disconnect, receiver)
        # The broker in memory is looked at once a second otherwise; and it is logged as elsewhere.
        cls.enterClassContext(mock.patch.object(virtual.Transport, "polling_interval", 0.01))
        cls.enterClassContext(mock.patch("logging.config.dictConfig"))
        cls.enterClassContext(override_settings(SAFETY_RINGS=cls.rings))
        app = current_app._get_current_object()
        cls.enterClassContext(
            start_worker(
                app, pool="threads", concurrency=1, perform_ping_check=False, shutdown_timeout=30
            )
        )

    @classmethod
    def begin(cls, **kwargs):
        cls.at_work.acquire()

    @classmethod
    def note(cls, task, **kwargs):
        connection.close()  # the worker's own, which nobody else could close at the end
        cls.at_work.release()
        cls.done.append(task.name)
        cls.ended.release()

    def _fixture_teardown(self):
        with self.at_work:  # emptying the tables under a task's statement would be a deadlock
            super()._fixture_teardown()

    def setUp(self):
        base.fresh(self)
        self.done.clear()
        self.api = base.client()

    def wait_until(self, condition):
        """Look after each task that ends."""
        while not condition():
            self.assertTrue(self.ended.acquire(timeout=30), "the worker has nothing more to do")


class TaskTests(WorkerTestCase):
    def test_a_message_is_processed_and_its_result_posted(self):
        hook = base.webhook_answers(self, 200)
        task_id = self.api.post(SEND, body(currency="TND")).json()["task_id"]
        self.wait_until(lambda: base.count(state=State.DELIVERED))
        shown = self.api.get(f"{base.TASKS}{task_id}/").json()
        self.assertEqual((shown["status"], shown["result"]), ("SUCCESS", "TNDABC123pending"))
        self.assertEqual(hook.posted, [base.HOOK])
        self.assertEqual(TaskResult.objects.get().task_name, services.TASK)  # and no other's result

    def test_a_list_is_processed_and_each_result_posted_once(self):
        hook = base.webhook_answers(self, 200)
        self.api.post(SEND, [body(order_key=f"K{number}") for number in range(20)])
        self.wait_until(lambda: base.count(state=State.DELIVERED) == 20)
        self.assertEqual(len(hook.calls), 20)

    def test_an_exception_of_the_work_is_stored_at_once_and_cancels(self):
        hook = base.webhook_answers(self, 200)
        self.enterContext(mock.patch.object(processing, "work", side_effect=ValueError("no")))
        with self.assertLogs("celery.app.trace", "ERROR"):
            self.api.post(SEND, body())
            self.wait_until(lambda: base.count(state=State.DELIVERED))
        task = TaskResult.objects.get()
        self.assertEqual(task.status, states.FAILURE)
        self.assertIn("ValueError", task.traceback)
        self.assertIn(b'"status": "cancelled", "result": "ValueError: no"', hook.calls[0]["body"])

    def test_a_database_error_in_the_task_is_no_result(self):
        away = mock.patch.object(processing, "work", side_effect=OperationalError("away"))
        with away, self.assertLogs("celery.app.trace", "ERROR"):
            self.api.post(SEND, body())
            self.wait_until(lambda: services.TASK in self.done)
        self.assertEqual(TaskResult.objects.get().status, states.PENDING)
        self.assertEqual(Message.objects.get().state, State.PROCESSING)

    def test_a_task_delivered_twice_by_the_broker_has_one_result_and_one_delivery(self):
        hook = base.webhook_answers(self, 200)
        message = accept()
        with mock.patch.object(processing, "work", wraps=processing.work) as work:
            for _ in range(3):
                services.publish_task(message, number=1, seconds=60)
            self.wait_until(
                lambda: self.done.count(services.TASK) == 3 and base.count(state=State.DELIVERED)
            )
        self.assertEqual(work.call_count, 3)
        self.assertEqual((len(hook.calls), base.tasks()), (1, 1))

    def test_the_sweep_publishes_what_was_lost_and_it_is_processed(self):
        base.webhook_answers(self, 200)
        message = accept()
        base.due_in(message, 0)
        processing.sweep_bell.ring()
        self.wait_until(lambda: base.count(state=State.DELIVERED))
        message.refresh_from_db()
        self.assertEqual(message.executions, 0)


class RingTests(SimpleTestCase):
    def test_each_ring_has_a_queue_of_its_own(self):
        queues = [queue for _, queue, _ in settings.SAFETY_RINGS]
        self.assertEqual(len(set(queues)), len(queues))


class SafetyRingTests(WorkerTestCase):
    rings = [
        ("messaging.publish_due", "consumer.sweep", 1),
        ("messaging.deliver_results", "consumer.webhooks", 1),
    ]

    def test_what_nobody_rang_for_is_processed_and_posted(self):
        base.webhook_answers(self, 200)
        base.due_in(accept(), 0)
        self.wait_until(lambda: base.count(state=State.DELIVERED))


class DrainTests(TransactionTestCase):
    def test_a_drain_takes_up_what_comes_while_a_slow_send_is_open(self):
        base.fresh(self)
        under_way, let_go = threading.Event(), threading.Event()

        def reply(url):
            if url.endswith("slow"):
                under_way.set()
                let_go.wait(20)
            else:
                let_go.set()
            return answer(200)

        self.enterContext(mock.patch.object(http, "post", base.Hook(reply)))
        base.finished(webhook_url=base.HOOK + "?slow")

        def accept_another():
            under_way.wait(20)
            base.finished()
            connection.close()

        helper = threading.Thread(target=accept_another)
        helper.start()
        self.addCleanup(helper.join)
        self.assertEqual(delivery.deliver_due(), 2)
        self.assertEqual(base.count(state=State.DELIVERED), 2)

    def test_a_drain_ends_after_a_while_and_the_next_goes_on_with_its_open_sends(self):
        base.fresh(self)
        let_go = threading.Event()

        def reply(url):
            let_go.wait(20)
            return answer(200)

        self.enterContext(mock.patch.object(http, "post", base.Hook(reply)))
        base.finished()
        rung = self.enterContext(mock.patch.object(services.delivery_bell, "ring"))
        with mock.patch.object(delivery, "DRAIN_SECONDS", 0.05):
            self.assertEqual(delivery.deliver_due(), 0)
        rung.assert_called_once_with()
        let_go.set()
        self.assertEqual(delivery.deliver_due(), 1)
        self.assertEqual(base.count(state=State.DELIVERED), 1)

    def test_a_process_has_one_drain_at_a_time(self):
        base.fresh(self)

        def reply(url):
            inner.append(delivery.deliver_due())
            return answer(200)

        inner = []
        self.enterContext(mock.patch.object(http, "post", base.Hook(reply)))
        base.finished()
        self.assertEqual((delivery.deliver_due(), inner), (1, [0]))
