"""An order's timeline, drawn on its page in the admin."""

from unittest.mock import patch

from django.test import TestCase
from django.utils import timezone

from chassis.admin_testing import AdminMixin, url_of
from orders.models import SendAttempt, TaskResult
from orders.tests.base import TASK, answer, confirm, make_order, make_user, set_order, unreached

AT = "2026-11-24T10:00:00.5Z"
DONE = {
    "task_id": TASK,
    "status": "SUCCESS",
    "result": "TNDABCpending",
    "date_created": AT,
    "date_done": AT,
    "delivery": {
        "state": "delivered",
        "attempts": 2,
        "due_at": None,
        "last_error": "",
        "log": [
            {"at": AT, "ms": 11, "status": None, "error": "connection refused"},
            {"at": AT, "ms": 12, "status": 200, "error": ""},
        ],
    },
}


class OrderStoryTests(AdminMixin, TestCase):
    def setUp(self):
        super().setUp()
        self.order = make_order(make_user("amel"))

    def story(self, reply=None):
        """The page's story while the consumer answers so; its titles."""
        with patch("chassis.http.get", return_value=reply or unreached()) as self.get:
            response = self.client.get(url_of(self.order, "change", self.order.pk))
        self.html = response.content.decode()
        return [drawn.step.title for drawn in response.context["story"].drawn]

    def test_it_has_every_step_of_both_services_with_durations_and_errors(self):
        set_order(self.order, task_id=TASK)
        now = timezone.now()
        SendAttempt.objects.create(order=self.order, at=now, ms=8, status=503, error="503 busy")
        SendAttempt.objects.create(order=self.order, at=now, ms=9, status=202)
        TaskResult.objects.create(task_id=TASK, result="TNDABCpending", order=self.order)
        confirm(self.order)
        self.assertCountEqual(
            self.story(answer(200, DONE)),
            [
                "Order accepted",
                "Message not taken",
                "Message sent",
                "Task made",
                "Task ended",
                "Result not delivered",
                "Result delivered",
                "Result arrived",
                "Order confirmed",
            ],
        )
        for text in ("503 busy", "took 9 ms", "connection refused", "took 12 ms", "TNDABCpending"):
            self.assertIn(text, self.html)

    def test_without_the_consumer_the_page_is_there_soon_and_says_what_is_missing(self):
        set_order(self.order, task_id=TASK)
        self.assertEqual(self.story(), ["Order accepted", "To be asked about again"])
        self.assertIn("its part is missing here", self.html)
        self.assertLessEqual(self.get.call_args.kwargs["total_timeout"], 1)

    def test_before_it_was_sent_the_consumer_is_not_asked(self):
        self.assertEqual(self.story(), ["Order accepted", "To be sent"])
        self.assertIn("The consumer knows nothing of it yet.", self.html)
        self.get.assert_not_called()

    def test_a_refused_order_has_no_next_step(self):
        set_order(self.order, due_at=None, last_error="refused: 400")
        self.assertEqual(self.story(), ["Order accepted"])
