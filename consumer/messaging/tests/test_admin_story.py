"""A message's story, drawn on its page in the admin."""

from celery import states
from django.test import TestCase
from django.utils import timezone

from chassis.admin_testing import AdminMixin, url_of
from messaging.models import DeliveryAttempt, Message, State
from messaging.tests.base import accept, finish, finished


class MessageStoryTests(AdminMixin, TestCase):
    def story(self, message):
        """The titles of the steps on its page."""
        response = self.client.get(url_of(message, "change", message.pk))
        self.html = response.content.decode()
        return [drawn.step.title for drawn in response.context["story"].drawn]

    def test_it_has_the_result_and_every_attempt_with_durations_and_errors(self):
        message = finished()
        for status, error in ((None, "connection refused"), (503, "503"), (200, "")):
            DeliveryAttempt.objects.create(
                message=message, at=timezone.now(), ms=7, status=status, error=error
            )
        Message.objects.update(state=State.DELIVERED, due_at=None)
        expected = ["Message accepted", "Task ended", *2 * ["Result not delivered"]]
        self.assertEqual(self.story(message), [*expected, "Result delivered"])
        for text in ("SUCCESS, USDABC123pending", "connection refused", "took 7 ms"):
            self.assertIn(text, self.html)

    def test_while_it_is_processed_it_says_how_often_that_began_and_what_comes_next(self):
        message = accept()
        Message.objects.update(executions=3)
        expected = ["Message accepted", "To be published again, if it has no result"]
        self.assertEqual(self.story(message), expected)
        self.assertIn("Its task began 3 times after its first publish and did not end.", self.html)

    def test_a_task_that_failed_is_told_without_its_traceback(self):
        message = finish(
            accept(), state=states.FAILURE, result={"exc_type": "E", "exc_message": "m"}
        )
        self.assertEqual(self.story(message)[:2], ["Message accepted", "Task ended"])
        self.assertIn("FAILURE, E: m", self.html)
