"""Ringing: coalesced, never raising, and heard by whoever consumes the queue."""

from contextlib import contextmanager
from unittest import TestCase
from unittest.mock import patch

from celery import current_app
from django.conf import settings

from chassis import bell, outbox

TASK, QUEUE = settings.SAFETY_RINGS[0][:2]


class BellCase(TestCase):
    """With a clock that is set by hand, and a broker that is one only in name."""

    def setUp(self):
        self.now = 1000.0
        self.enterContext(patch("chassis.bell.time.monotonic", lambda: self.now))
        self.enterContext(patch("chassis.bell._muted_until", 0.0))
        self.sent = self.enterContext(patch("chassis.bell.send"))

    @contextmanager
    def no_broker(self):
        self.sent.side_effect = OSError("connection refused")
        with self.assertLogs("chassis.bell", "WARNING"):
            yield
        self.sent.side_effect = None


class RingTests(BellCase):
    def test_a_ring_publishes_its_task_unconfirmed_to_the_services_queue(self):
        bell.Bell("orders.dispatch", "producer.dispatch").ring()
        self.sent.assert_called_once_with(
            "orders.dispatch", queue=bell.queue_name("producer.dispatch"), delivery_mode=1
        )

    def test_rings_within_20_ms_are_one(self):
        ring = bell.Bell("t", "q").ring
        for self.now in (1000.0, 1000.001, 1000.019):
            ring()
        self.assertEqual(self.sent.call_count, 1)
        self.now = 1000.021
        ring()
        self.assertEqual(self.sent.call_count, 2)

    def test_a_ring_says_whether_the_broker_can_be_reached_a_coalesced_one_too(self):
        ring = bell.Bell("t", "q").ring
        with self.no_broker():
            self.assertEqual([ring(), ring()], [False, False])
        self.now += bell.MUTED
        self.assertEqual([ring(), ring()], [True, True])

    def test_each_bell_is_coalesced_for_itself(self):
        bell.Bell("a", "q").ring(), bell.Bell("b", "q").ring()
        self.assertEqual(self.sent.call_count, 2)

    def test_a_drain_looks_again_after_a_coalesced_ring_is_stored(self):
        self.assertGreater(outbox.LOOK_AGAIN, bell.COALESCE)


class PublishTests(BellCase):
    def test_it_says_whether_it_was_published(self):
        self.assertTrue(bell.publish("t", queue="q", args=[1], task_id="x", expiration=10))
        self.sent.assert_called_once_with(
            "t", queue=bell.queue_name("q"), args=[1], task_id="x", expiration=10
        )

    def test_a_broker_that_is_away_raises_nothing_and_is_left_alone_for_5_s(self):
        with self.no_broker():
            self.assertFalse(bell.publish("t", queue="q"))
        for self.now in (1000.0, 1004.9):
            self.assertFalse(bell.publish("t", queue="q"))
        self.assertEqual(self.sent.call_count, 1)
        self.now = 1005.1
        self.assertTrue(bell.publish("t", queue="q"))

    def test_one_bells_silence_is_every_bells(self):
        with self.no_broker():
            bell.Bell("a", "q").ring()
        bell.Bell("b", "q").ring()
        self.assertEqual(self.sent.call_count, 1)


class HeardTests(TestCase):
    """On the broker of the test run: in memory, or the RabbitMQ at TEST_BROKER_URL."""

    def first_in(self, queue):
        """The queue's first message; a broker may take a moment to route it."""
        looks = (queue.get(no_ack=True) for _ in range(10_000))
        return next(filter(None, looks))

    def test_a_ring_waits_in_the_queue_of_its_name(self):
        with current_app.connection_for_read() as broker:
            queue = current_app.amqp.queues[bell.queue_name(QUEUE)](broker.default_channel)
            queue.declare()
            queue.purge()
            bell.Bell(TASK, QUEUE).ring()
            self.assertEqual(self.first_in(queue).headers["task"], TASK)

    def test_a_queue_that_went_with_its_broker_is_there_for_the_first_ring_after(self):
        bell.Bell(TASK, QUEUE).ring()
        with current_app.amqp.producer_pool.acquire(block=True) as producer:
            producer.connection.close()
        with current_app.connection_for_read() as broker:
            queue = current_app.amqp.queues[bell.queue_name(QUEUE)](broker.default_channel)
            queue.delete()
            bell.Bell(TASK, QUEUE).ring()
            self.assertEqual(self.first_in(queue).headers["task"], TASK)

    def test_a_task_for_an_unknown_queue_is_not_collected_anywhere(self):
        with patch("chassis.bell._muted_until", 0.0), self.assertLogs("chassis.bell", "WARNING"):
            self.assertFalse(bell.publish(TASK, queue="mistyped"))
