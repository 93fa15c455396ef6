"""The admin's first page."""

from datetime import timedelta

from django.contrib.auth.models import Permission
from django.test import TestCase
from django.utils import timezone

from chassis.admin_testing import DashboardMixin
from messaging.models import DeliveryAttempt, Host, Message, State
from messaging.tests.base import accept, finished

MINUTE = timedelta(minutes=1)


class DashboardTests(DashboardMixin, TestCase):
    def setUp(self):
        super().setUp()
        self.now = timezone.now()

    def message(self, state, **columns):
        message = accept() if state == State.PROCESSING else finished()
        Message.objects.filter(pk=message.pk).update(state=state, **columns)
        message.refresh_from_db()
        return message

    def test_with_no_message_at_all_it_says_that_all_is_well(self):
        html = self.page("/admin/")
        self.assertIn("All is well", html)
        self.assertIn("No message is dead.", html)

    def test_each_queue_tells_how_many_wait_and_since_when_the_oldest(self):
        for ago in (1, 3):
            self.message(State.PROCESSING, created_at=self.now - ago * MINUTE)
            self.message(State.DELIVERING, delivering_since=self.now - 10 * ago * MINUTE)
        processing, delivering = self.figure("Processing"), self.figure("Delivering")
        self.assertEqual((processing.value, processing.verdict), ("2", "late"))
        self.assertTrue(processing.note.startswith("the oldest for 3 min"), processing.note)
        self.assertEqual((delivering.value, delivering.verdict), ("2", "stuck"))
        self.assertTrue(delivering.note.startswith("the oldest for 30 min"), delivering.note)

    def test_a_dead_message_is_listed_with_its_reason_and_sent_again_from_there(self):
        dead = self.message(State.DEAD, due_at=None, attempts=12, last_error="500")
        self.assertEqual(self.figure("Dead").verdict, "needs you")
        self.assertEqual(self.table(0)[0][:4], ["ABC123", "500", "http://127.0.0.1:7000", "12"])
        (row,) = self.dashboard().tables[0].rows
        said = self.said(self.client.post(row.press, {"_form_submitted": "True"}, follow=True))
        self.assertEqual(said, "1 message sent again.")
        dead.refresh_from_db()
        self.assertEqual(dead.state, State.DELIVERING)

    def test_who_may_look_and_not_act_gets_no_button_and_others_see_nothing(self):
        self.message(State.DEAD, last_error="no such shop")
        self.staff.is_superuser = False
        self.staff.save()
        self.assertNotIn("dashboard", self.client.get("/admin/").context)
        self.staff.user_permissions.add(Permission.objects.get(codename="view_message"))
        html = self.page("/admin/")
        self.assertIn("no such shop", html)
        self.assertNotIn("Send again", html)

    def test_hosts_that_fail_come_first_with_their_breaker_and_what_waits(self):
        Host.objects.create(name="https://fine.example")
        self.message(State.DELIVERING)
        Host.objects.filter(name="http://127.0.0.1:7000").update(
            failures=5, failing_since=self.now, open_until=self.now + MINUTE
        )
        failing, fine = self.table(1)
        self.assertEqual((failing[0], failing[4]), ("http://127.0.0.1:7000", "1"))
        self.assertIn("open until", failing[1])
        self.assertEqual(fine[:3], ["https://fine.example", "closed", "0"])
        self.assertEqual(self.figure("Webhook hosts that fail").verdict, "failing")

    def test_the_time_to_deliver_goes_from_the_result_to_the_answer_that_took_it(self):
        for seconds, status in ((2, 200), (4, 200), (60, 503)):
            message = self.message(State.DELIVERED, delivering_since=self.now - 10 * MINUTE)
            at = message.delivering_since + timedelta(seconds=seconds - 0.25)
            DeliveryAttempt.objects.create(message=message, at=at, ms=250, status=status)
        self.assertEqual(self.figure("Time to deliver, p50").value, "4.0 s")
        note = "the newest 2 delivered of the last 24 hours"
        self.assertEqual(self.figure("Time to deliver, p50").note, note)

    def test_the_chart_counts_the_last_days_messages_by_state(self):
        for state in (State.DELIVERED, State.DELIVERED, State.GONE, State.PROCESSING):
            self.message(state)
        self.message(State.DEAD, created_at=self.now - timedelta(hours=30))
        counts = [f"{count} {name}" for name, _, count in self.dashboard().chart.legend]
        expected = ["1 processing", "0 delivering", "2 delivered", "1 gone", "0 dead"]
        self.assertEqual(counts, expected)

    def test_it_takes_as_many_queries_however_many_messages_there_are(self):
        for state in (State.DEAD, State.PROCESSING):
            self.message(state)
        before = self.queries("/admin/")
        for _ in range(10):
            self.message(State.DEAD)
            self.message(State.PROCESSING)
        self.assertLessEqual(self.queries("/admin/"), before)
        self.assertEqual(len(self.table(0)), 5)
