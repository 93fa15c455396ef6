"""After the database's clock was set back by an hour, nothing waits for an hour more."""

from django.test import TestCase

from chassis.clock import SecondsFromNow
from messaging import tasks
from messaging.models import Message, State
from messaging.tests import base

HOUR = 3600.0


class SetBackTests(TestCase):
    def setUp(self):
        base.fresh(self)

    def assert_followed(self, message):
        self.assertEqual(tasks.follow_clock(), 1)
        self.assertLess(base.seconds_until(message), 1)
        self.assertEqual(tasks.follow_clock(), 0)

    def assert_left_alone(self, message, *, due_in):
        base.due_in(message, due_in)
        self.assertEqual(tasks.follow_clock(), 0)
        self.assertAlmostEqual(base.seconds_until(message), due_in, delta=5)

    def delivering_since(self, seconds):
        message = base.finished()
        Message.objects.update(delivering_since=SecondsFromNow(seconds))
        return message

    def test_a_task_that_should_have_ended_is_published_again(self):
        message = base.accept()
        base.due_in(message, HOUR)
        self.assert_followed(message)

    def test_a_task_just_published_keeps_its_time(self):
        for published in (10, 60):
            self.assert_left_alone(base.accept(), due_in=published)

    def test_a_delivery_that_began_in_the_future_is_posted(self):
        message = self.delivering_since(HOUR)
        base.due_in(message, HOUR + 300)
        self.assert_followed(message)
        self.assertAlmostEqual(base.seconds_until(message, "delivering_since"), 0, delta=5)

    def test_a_delivery_that_was_tried_waits_no_longer_than_its_schedule(self):
        message = self.delivering_since(-HOUR)
        Message.objects.update(attempts=3)
        base.due_in(message, 72 * HOUR)
        self.assert_followed(message)
        message.refresh_from_db()
        self.assertLess(base.seconds_until(message, "delivering_since"), -HOUR + 5)

    def test_a_delivery_whose_receiver_asked_for_hours_keeps_its_time(self):
        self.assert_left_alone(self.delivering_since(-60.0), due_in=10 * HOUR)

    def test_what_has_ended_stays_ended(self):
        message = self.delivering_since(HOUR)
        Message.objects.update(state=State.DEAD, due_at=None)
        self.assertEqual(tasks.follow_clock(), 0)
        message.refresh_from_db()
        self.assertIsNone(message.due_at)
