"""The admin's first page."""

from datetime import timedelta
from unittest.mock import patch

from django.contrib.auth.models import Permission
from django.db.models import F
from django.test import TestCase
from django.utils import timezone

from chassis import charts
from chassis.admin_testing import DashboardMixin, url_of
from chassis.clock import Seconds
from orders import dashboard
from orders.models import Order, OrderStatus, SendAttempt
from orders.tests.base import cancel, confirm, make_order, make_user, set_order

MINUTE = timedelta(minutes=1)
REASON = "refused: 422 address: too long"


class DashboardTests(DashboardMixin, TestCase):
    def setUp(self):
        super().setUp()
        self.amel = make_user("amel")
        self.now = timezone.now()

    def order(self, **columns):
        return set_order(make_order(self.amel), **columns)

    def test_with_no_order_at_all_it_says_that_all_is_well(self):
        html = self.page("/admin/")
        self.assertIn("All is well", html)
        self.assertIn("The consumer has refused no order.", html)

    def test_an_order_that_is_due_for_long_is_stuck(self):
        self.order(due_at=self.now - 2 * MINUTE)
        self.order(due_at=self.now + MINUTE)
        figure = self.figure("Oldest due order")
        self.assertEqual((figure.verdict, figure.value[:5]), ("stuck", "2 min"))
        self.assertIn("1 due now", figure.note)
        self.assertIn("Not all is well", self.page("/admin/"))

    def test_a_refused_order_is_listed_with_its_reason_and_sent_again_from_there(self):
        order = self.order(due_at=None, last_error=REASON)
        self.assertEqual(self.figure("Refused by the consumer").verdict, "needs you")
        (row,) = self.dashboard().tables[0].rows
        self.assertEqual(self.table(0)[0][:2], [order.order_key, "422 address: too long"])
        with patch("orders.services.dispatch_bell.ring"):
            said = self.said(self.client.post(row.press, {"_form_submitted": "True"}, follow=True))
        self.assertEqual(said, "1 order sent again.")
        order.refresh_from_db()
        self.assertIsNotNone(order.due_at)

    def test_who_may_look_and_not_act_gets_no_button_and_others_see_nothing(self):
        self.order(due_at=None, last_error=REASON)
        self.staff.is_superuser = False
        self.staff.save()
        self.assertNotIn("dashboard", self.client.get("/admin/").context)
        self.staff.user_permissions.add(Permission.objects.get(codename="view_order"))
        html = self.page("/admin/")
        self.assertIn("422 address: too long", html)
        self.assertNotIn("Send again", html)

    def test_what_the_consumer_answered_last_is_shown(self):
        title, order = "Consumer's last answer", self.order()
        self.assertEqual(self.figure(title).note, "nothing was sent yet")
        for status, verdict in ((202, "answers"), (503, "refuses"), (None, "no answer")):
            SendAttempt.objects.create(order=order, at=self.now, ms=3, status=status, error="so")
            self.assertEqual(self.figure(title).verdict, verdict)

    def test_times_to_confirm_are_those_of_confirmed_orders_of_the_last_day(self):
        self.order()
        for number in range(20):
            took = timedelta(seconds=9 if number == 3 else 2)
            order = confirm(self.order(created_at=self.now - took))
            set_order(order, updated_at=F("created_at") + took)
        old = confirm(self.order(created_at=self.now - timedelta(hours=25)))
        set_order(old, updated_at=self.now)
        self.assertEqual(self.figure("Time to confirm, p50").value, "2.0 s")
        self.assertEqual(self.figure("Time to confirm, p95").value, "9.0 s")
        note = "the newest 20 confirmed of the last 24 hours"
        self.assertEqual(self.figure("Time to confirm, p50").note, note)

    def test_the_chart_counts_the_last_days_orders_by_hour_and_status(self):
        hour = self.now.replace(minute=0, second=0, microsecond=0)
        for made, at in ((confirm, hour), (confirm, hour), (cancel, hour - 5 * charts.DAY / 24)):
            set_order(made(self.order()), created_at=at)
        self.order(created_at=self.now - timedelta(hours=30))
        chart = self.dashboard().chart
        self.assertEqual(
            [(name, count) for name, _, count in chart.legend],
            [("pending", "0"), ("confirmed", "2"), ("cancelled", "1")],
        )
        before = (hour - timedelta(hours=5)).strftime("%H:00")
        self.assertEqual(chart.rows, [(hour.strftime("%H:00"), [0, 2, 0]), (before, [0, 0, 1])])
        self.assertEqual(len(chart.labels), 25)

    def test_a_full_hour_begins_a_bar(self):
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        for hour in range(24):
            self.order(created_at=midnight + timedelta(hours=hour))
        seconds = Order.objects.annotate(seconds=Seconds("created_at")).values_list("seconds")
        self.assertEqual({at % 3600 for (at,) in seconds}, {0})

    def test_of_very_many_orders_the_chart_takes_the_newest_and_says_so(self):
        for minutes in range(6):
            self.order(created_at=self.now - (5 - minutes) * MINUTE)
        with patch("chassis.charts.NEWEST", 4):
            chart = self.dashboard().chart
        self.assertEqual(chart.note, "the newest 4")
        self.assertEqual(sum(sum(counts) for _, counts in chart.rows), 4)
        self.assertLessEqual(len(chart.labels), charts.BARS + 1)

    def test_orders_that_are_pending_for_long_are_listed_the_oldest_first(self):
        old = [self.order(created_at=self.now - n * MINUTE, attempts=n) for n in (9, 5)]
        self.order()
        confirm(self.order(created_at=self.now - 9 * MINUTE))
        self.assertEqual([row[0] for row in self.table(1)], [order.order_key for order in old])
        _, age, *others = self.table(1)[0]
        self.assertEqual([age[:5], *others[:2]], ["9 min", "waiting", "9"])

    def test_it_takes_as_many_queries_however_many_orders_there_are(self):
        self.order(due_at=None, last_error=REASON)
        self.order(created_at=self.now - 5 * MINUTE)
        before = self.queries("/admin/")
        for _ in range(20):
            self.order(due_at=None, last_error=REASON)
            self.order(created_at=self.now - 5 * MINUTE)
        self.assertLessEqual(self.queries("/admin/"), before)
        self.assertEqual(len(self.table(0)), 5)

    def test_it_leads_to_the_lists_that_it_counts(self):
        refused = self.order(due_at=None, last_error=REASON)
        self.order()
        response = self.client.get(self.figure("Refused by the consumer").href)
        self.assertEqual(list(response.context["cl"].result_list), [refused])
        self.assertEqual(self.dashboard().search, url_of(Order, "changelist"))

    def test_a_count_ends_at_its_limit(self):
        for _ in range(3):
            self.order()
        with patch("chassis.dashboard.MOST_COUNTED", 2):
            self.assertEqual(self.figure("Pending").value, "2+")
            self.assertEqual(dashboard.counted(Order.objects.filter(status=OrderStatus.PENDING)), 3)
