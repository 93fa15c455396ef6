"""/metrics: who may read it, what it says, and that what it counts only grows."""

from datetime import timedelta
from unittest.mock import patch

from django.db import OperationalError, connection
from django.db.models import F
from django.test import TestCase, TransactionTestCase, override_settings
from prometheus_client.parser import text_string_to_metric_families

from chassis import metrics, tallies
from chassis.clock import Now, SecondsFromNow
from chassis.testing import at_once
from orders.models import Order, OrderStatus, SendAttempt, Tally, TaskResult
from orders.tests.base import confirm, make_order, make_user, set_order

TOKEN = "of-the-tests"


def settle():
    """As if a while had passed since somebody asked."""
    Tally.objects.update(seen_at=SecondsFromNow(-2 * tallies.SETTLE_SECONDS))


@override_settings(METRICS_TOKEN=TOKEN)
class MetricsCase(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = make_user()

    def scrape(self):
        """Every figure by its name and labels, as Prometheus reads them."""
        response = self.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        self.assertEqual(response.status_code, 200)
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(response.content.decode())
            for sample in family.samples
        }

    def settled(self):
        """What was seen a while ago is counted: it is asked once to see, and once to count."""
        for _ in range(2):
            self.scrape()
            settle()
        return self.scrape()


class AccessTests(MetricsCase):
    def status(self, **headers):
        return self.client.get("/metrics", headers=headers).status_code

    def test_the_token_opens_it_and_nothing_else_does(self):
        self.assertEqual(self.status(Authorization=f"Bearer {TOKEN}"), 200)
        for wrong in ("", f"Bearer {TOKEN}x", "Bearer", f"Token {TOKEN}", TOKEN, "Bearer é"):
            with self.subTest(wrong):
                self.assertEqual(self.status(Authorization=wrong), 401)

    def test_without_a_token_it_is_not_there(self):
        with override_settings(METRICS_TOKEN=""):
            for authorization in ("", "Bearer ", f"Bearer {TOKEN}"):
                self.assertEqual(self.status(Authorization=authorization), 404)

    def test_in_development_it_is_open_unless_there_is_a_token(self):
        with override_settings(METRICS_TOKEN="", DEBUG=True):
            self.assertEqual(self.status(), 200)
        with override_settings(DEBUG=True):
            self.assertEqual(self.status(), 401)

    def test_without_the_database_it_is_unavailable(self):
        def away(*args):
            raise OperationalError

        with connection.execute_wrapper(away), self.assertLogs("django.request", "ERROR"):
            self.assertEqual(self.status(Authorization=f"Bearer {TOKEN}"), 503)


class WaitingTests(MetricsCase):
    def test_pending_orders_are_counted_by_what_is_next(self):
        set_order(make_order(self.user), due_at=SecondsFromNow(60))
        set_order(make_order(self.user), due_at=None)
        set_order(make_order(self.user), due_at=None, status=OrderStatus.CANCELLED)
        make_order(self.user), make_order(self.user)
        found = self.scrape()
        states = {
            state: found["producer_orders", state] for state in ("due", "scheduled", "refused")
        }
        self.assertEqual(states, {"due": 2, "scheduled": 1, "refused": 1})

    def test_a_count_ends_at_a_limit(self):
        for _ in range(3):
            make_order(self.user)
        with patch.object(metrics, "MOST_COUNTED", 2):
            self.assertEqual(metrics.counted(Order.objects.order_by("due_at")), 2)

    def test_the_oldest_is_as_old_as_it_is(self):
        set_order(make_order(self.user), due_at=SecondsFromNow(-30), created_at=SecondsFromNow(-90))
        set_order(make_order(self.user), due_at=SecondsFromNow(60), created_at=SecondsFromNow(-500))
        set_order(make_order(self.user), due_at=None, created_at=SecondsFromNow(-9000))
        confirm(set_order(make_order(self.user), due_at=SecondsFromNow(-9000)))
        found = self.scrape()
        self.assertAlmostEqual(found["producer_oldest_due_order_seconds",], 30, delta=5)
        self.assertAlmostEqual(found["producer_oldest_pending_order_seconds",], 500, delta=5)

    def test_where_nothing_waits_all_is_zero(self):
        found = self.scrape()
        self.assertEqual(found["producer_oldest_due_order_seconds",], 0)
        self.assertEqual(found["producer_oldest_pending_order_seconds",], 0)
        self.assertEqual(found["producer_orders", "due"], 0)


class CountedTests(MetricsCase):
    def test_orders_sends_and_results_are_counted(self):
        self.scrape()
        confirmed, cancelled, waiting = (make_order(self.user) for _ in range(3))
        confirm(confirmed)
        set_order(cancelled, status=OrderStatus.CANCELLED)
        for number, order in enumerate((confirmed, cancelled)):
            TaskResult.objects.create(task_id=f"t{number}", order=order)
        TaskResult.objects.create(task_id="of no order")
        for status in (202, 202, 503, None):
            SendAttempt.objects.create(order=waiting, at=Now(), ms=1, status=status)
        found = self.settled()
        self.assertEqual(found["producer_orders_accepted_total",], 3)
        self.assertEqual(found["producer_orders_answered_total", "confirmed"], 1)
        self.assertEqual(found["producer_orders_answered_total", "cancelled"], 1)
        sends = {code: found["producer_sends_total", code] for code in ("202", "503", "none")}
        self.assertEqual(sends, {"202": 2, "503": 1, "none": 1})

    def test_how_long_orders_took_is_a_histogram(self):
        self.scrape()
        for number, seconds in enumerate((0.2, 0.3, 40, 100_000, -5)):
            order = make_order(self.user)
            row = TaskResult.objects.create(task_id=f"t{number}", order=order)
            TaskResult.objects.filter(pk=row.pk).update(
                created_at=F("created_at") + timedelta(seconds=seconds)
            )
        found = self.settled()
        buckets = {
            edge: found["producer_order_duration_seconds_bucket", edge]
            for edge in ("0.1", "0.25", "0.5", "1.0", "60.0", "86400.0", "+Inf")
        }
        expected = {"0.1": 1, "0.25": 2, "0.5": 3, "1.0": 3, "60.0": 4, "86400.0": 4, "+Inf": 5}
        self.assertEqual(buckets, expected)
        self.assertEqual(found["producer_order_duration_seconds_count",], 5)
        self.assertAlmostEqual(found["producer_order_duration_seconds_sum",], 100_040.5, delta=1)

    def test_a_row_is_counted_once_and_stays_counted_when_it_is_gone(self):
        self.scrape()
        order = make_order(self.user)
        self.settled()
        order.delete()
        make_order(self.user)
        self.assertEqual(self.settled()["producer_orders_accepted_total",], 2)
        self.assertEqual(self.settled()["producer_orders_accepted_total",], 2)

    def test_what_was_there_before_anybody_asked_is_not_counted(self):
        make_order(self.user)
        self.assertEqual(self.settled()["producer_orders_accepted_total",], 0)

    def test_a_row_that_came_a_moment_ago_is_not_counted_yet(self):
        """A smaller key than its own may still be on its way."""
        self.scrape()
        make_order(self.user)
        settle()
        self.scrape()  # it is seen
        self.assertEqual(self.scrape()["producer_orders_accepted_total",], 0)
        settle()
        self.assertEqual(self.scrape()["producer_orders_accepted_total",], 1)

    def test_many_rows_are_counted_in_parts(self):
        self.scrape()
        for _ in range(5):
            make_order(self.user)
        self.enterContext(patch.object(tallies, "AT_ONCE", 2))
        settle()
        counted = []
        for _ in range(4):
            counted.append(self.scrape()["producer_orders_accepted_total",])
            settle()
        self.assertEqual(counted, [0, 2, 4, 5])


class CountedAtOnceTests(TransactionTestCase):
    def test_two_that_ask_at_once_count_each_row_once(self):
        def count(rows):
            return {"accepted": {"orders": rows.count()}}

        sources = [tallies.Source("orders", Order, count)]
        at_once(2, lambda number: tallies.count_up(Tally, sources))
        user = make_user()
        for _ in range(3):
            make_order(user)
        for _ in range(2):
            settle()
            at_once(4, lambda number: tallies.count_up(Tally, sources))
        self.assertEqual(tallies.count_up(Tally, sources), {"accepted": {"orders": 3}})
