"""After the database's clock was set back by an hour, nothing waits for an hour more."""

from django.db.models.functions import Now
from django.test import TestCase

from chassis.clock import SecondsFromNow
from orders import tasks
from orders.models import Order
from orders.tests.base import cancel, make_order, make_user, set_order

HOUR = 3600.0


class SetBackTests(TestCase):
    def setUp(self):
        self.order = make_order(make_user())

    def wait(self, seconds, **columns):
        set_order(self.order, due_at=SecondsFromNow(seconds), **columns)

    def seconds_until_due(self):
        found = Order.objects.annotate(now=Now()).get(pk=self.order.pk)
        return (found.due_at - found.now).total_seconds()

    def test_an_order_that_was_tried_is_sent_again(self):
        self.wait(HOUR, attempts=1)
        self.assertEqual(tasks.follow_clock(), 1)
        self.assertLess(self.seconds_until_due(), 1)

    def test_an_order_made_in_the_future_is_sent(self):
        self.wait(HOUR, created_at=SecondsFromNow(HOUR))
        self.assertEqual(tasks.follow_clock(), 1)
        self.assertLess(self.seconds_until_due(), 1)

    def test_an_order_that_the_consumer_is_asked_about_in_10_minutes_keeps_its_time(self):
        self.wait(600.0, attempts=9)
        self.assertEqual(tasks.follow_clock(), 0)
        self.assertGreater(self.seconds_until_due(), 590)

    def test_one_of_many_that_are_sent_again_over_an_hour_keeps_its_time(self):
        self.wait(HOUR, attempts=0)
        self.assertEqual(tasks.follow_clock(), 0)
        self.assertGreater(self.seconds_until_due(), HOUR - 10)

    def test_an_order_that_is_no_longer_pending_is_left_alone(self):
        self.wait(HOUR, attempts=1)
        cancel(self.order)
        self.assertEqual(tasks.follow_clock(), 0)
