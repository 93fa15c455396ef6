"""What is posted to a webhook, with which key and signature, and what its answer means."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from celery import states
from django.test import TestCase, override_settings
from standardwebhooks import Webhook

from chassis.http import Answer
from messaging import services, webhook
from messaging.models import Message, State
from messaging.tests import base
from messaging.tests.base import accept, answer, finish, finished

OLD, NEW = "whsec_b2xkLW9sZC1vbGQtb2xkLW9sZA==", "whsec_bmV3LW5ldy1uZXctbmV3LW5ldw=="
STRANGER = "https://shop.example/hook"
SECONDS = (1, 5, 30, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)  # the contract's


class WebhookTestCase(TestCase):
    def setUp(self):
        base.fresh(self)

    def posted(self, message, *replies):
        """What one delivery of the message sends."""
        hook = base.webhook_answers(self, *replies)
        base.deliver()
        message.refresh_from_db()
        return hook.calls[-1]


class BodyTests(WebhookTestCase):
    def body_of(self, state, result):
        message = finish(accept(), state=state, result=result)
        given = webhook.body_of(message.task)
        self.assertEqual(given["task_id"], message.task.task_id)
        return given["status"], given["result"]

    def test_a_success_confirms_with_its_text(self):
        found = self.body_of(states.SUCCESS, "TNDABC123pending")
        self.assertEqual(found, ("confirmed", "TNDABC123pending"))

    def test_a_failure_cancels_with_a_short_reason_and_no_traceback(self):
        failure = {"exc_type": "ValueError", "exc_message": ["no such", "key"], "exc_module": "x"}
        found = self.body_of(states.FAILURE, failure)
        self.assertEqual(found, ("cancelled", "ValueError: no such key"))

    def test_a_failure_that_says_nothing_is_named_by_its_state(self):
        self.assertEqual(self.body_of(states.REVOKED, None), ("cancelled", "REVOKED"))

    def test_the_result_is_text_of_at_most_255_characters(self):
        self.assertEqual(self.body_of(states.SUCCESS, "é" * 300), ("confirmed", "é" * 255))

    def test_a_result_that_is_no_text_is_written_as_json(self):
        for value, text in (({"a": 1}, '{"a": 1}'), (7, "7"), (None, "null"), ("", "")):
            with self.subTest(text):
                self.assertEqual(self.body_of(states.SUCCESS, value), ("confirmed", text))

    def test_it_is_posted_as_json_to_the_url_sent_last(self):
        message = finished()
        sent = self.posted(message)
        self.assertEqual(sent["url"], message.webhook_url)
        self.assertEqual(sent["headers"]["Content-Type"], "application/json")
        self.assertEqual(json.loads(sent["body"]), webhook.body_of(message.task))


class KeyTests(WebhookTestCase):
    def authorization(self, **changes):
        return self.posted(finished(**changes))["headers"].get("Authorization")

    def test_the_messages_own_key_is_sent(self):
        self.assertEqual(self.authorization(webhook_api_key=base.KEY), f"Api-Key {base.KEY}")

    def test_its_own_key_goes_to_a_stranger_too(self):
        found = self.authorization(webhook_api_key=base.KEY, webhook_url=STRANGER)
        self.assertEqual(found, f"Api-Key {base.KEY}")

    @override_settings(PRODUCER_URL="http://producer:7000", PRODUCER_API_KEY="the.service-key")
    def test_without_one_the_service_key_goes_to_exactly_the_producers_origin(self):
        base.allow(self, "http://producer:7000", "http://producer:7001", "https://producer:7000")
        for url, expected in (
            ("http://producer:7000/hook", "Api-Key the.service-key"),
            ("http://PRODUCER:7000/hook", "Api-Key the.service-key"),
            ("http://producer:7001/hook", None),
            ("https://producer:7000/hook", None),
            ("http://producer/hook", None),
            ("http://producer.shop.example:7000/hook", None),
            (STRANGER, None),
        ):
            with self.subTest(url):
                self.assertEqual(self.authorization(webhook_url=url), expected)

    def test_a_key_that_no_secret_opens_any_longer_is_not_sent(self):
        message = finished(webhook_api_key=base.KEY, webhook_url=STRANGER)
        with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[]):
            self.assertNotIn("Authorization", self.posted(message)["headers"])


class SignatureTests(WebhookTestCase):
    def test_an_allowed_origin_gets_a_signature_that_verifies(self):
        sent = self.posted(finished())
        (secret,) = services.settings.WEBHOOK_SIGNING_SECRETS
        Webhook(secret).verify(sent["body"].decode(), sent["headers"])

    def test_each_secret_in_use_verifies_so_that_one_can_be_replaced(self):
        with override_settings(WEBHOOK_SIGNING_SECRETS=[NEW, OLD]):
            sent = self.posted(finished())
        self.assertEqual(len(sent["headers"]["webhook-signature"].split()), 2)
        for secret in (OLD, NEW):
            Webhook(secret).verify(sent["body"].decode(), sent["headers"])

    def test_a_stranger_gets_the_id_and_the_time_but_no_signature(self):
        message = finished(webhook_url=STRANGER)
        headers = self.posted(message)["headers"]
        self.assertEqual(headers["webhook-id"], str(message.message_id))
        self.assertIn("webhook-timestamp", headers)
        self.assertNotIn("webhook-signature", headers)

    def test_a_strangers_address_is_checked_and_an_allowed_ones_is_not(self):
        self.assertIsNone(self.posted(finished())["check_address"])
        sent = self.posted(finished(webhook_url=STRANGER))
        self.assertIs(sent["check_address"], webhook.targets.check_address)

    def test_the_id_is_the_same_at_every_attempt_and_the_time_is_new(self):
        message = finished()
        hook = base.webhook_answers(self, 500, 200)
        base.deliver()
        first = Message.objects.get()
        base.due_in(message, 0)
        base.deliver()
        headers = [call["headers"] for call in hook.calls]
        self.assertEqual({h["webhook-id"] for h in headers}, {str(message.message_id)})
        at = [attempt.at for attempt in base.attempts_of(message)]
        self.assertEqual(
            [int(h["webhook-timestamp"]) for h in headers], [int(a.timestamp()) for a in at]
        )
        self.assertGreater(at[1], at[0])
        self.assertEqual(first.state, State.DELIVERING)

    def test_the_time_is_the_databases(self):
        message = finished()
        sent = self.posted(message)
        base.due_in(message, 0)
        now = Message.objects.values_list("due_at", flat=True).get()
        self.assertLess(abs(int(sent["headers"]["webhook-timestamp"]) - now.timestamp()), 5)

    def test_the_requests_id_goes_along(self):
        message = finished()
        self.assertEqual(self.posted(message)["headers"]["X-Request-ID"], str(message.message_id))
        message = finished()
        Message.objects.filter(pk=message.pk).update(request_id="order-42")
        self.assertEqual(self.posted(message)["headers"]["X-Request-ID"], "order-42")


class OutcomeTests(WebhookTestCase):
    def delivered(self, *replies, **changes):
        message = finished(webhook_api_key=base.KEY, **changes)
        self.posted(message, *replies)
        return message

    def test_any_2xx_is_delivered_and_the_key_erased(self):
        for status in (200, 201, 202, 204, 226, 299):
            with self.subTest(status):
                message = self.delivered(status)
                self.assertEqual((message.state, message.last_error), (State.DELIVERED, ""))
                self.assertEqual((message.due_at, message.webhook_api_key), (None, ""))

    def test_404_and_410_are_gone_and_the_key_erased(self):
        for status in (404, 410):
            with self.subTest(status):
                message = self.delivered(status)
                self.assertEqual((message.state, message.last_error), (State.GONE, str(status)))
                self.assertEqual((message.due_at, message.webhook_api_key), (None, ""))

    def test_a_redirect_is_dead(self):
        for status in (300, 301, 302, 303, 304, 307, 308):
            with self.subTest(status):
                message = self.delivered(answer(status, Location="http://127.0.0.1:7000/other"))
                self.assertEqual((message.state, message.due_at), (State.DEAD, None))
                self.assertEqual(message.last_error, f"{status} redirects are not followed")

    def test_other_4xx_are_dead_and_keep_the_key_to_be_sent_again(self):
        for status in (400, 402, 405, 406, 409, 411, 413, 415, 418, 422, 431, 451):
            with self.subTest(status):
                message = self.delivered(status)
                self.assertEqual((message.state, message.last_error), (State.DEAD, str(status)))
                self.assertEqual((message.due_at, message.webhook_api_key), (None, base.KEY))

    def test_what_may_pass_is_tried_again(self):
        for status in (401, 403, 408, 425, 429, 500, 501, 502, 503, 504, 507, 599, None):
            with self.subTest(status):
                message = self.delivered(status)
                self.assertEqual((message.state, message.attempts), (State.DELIVERING, 1))
                self.assertEqual(message.last_error, str(status or "timed out"))
                self.assertEqual(message.webhook_api_key, base.KEY)
                Message.objects.update(state=State.DEAD)
                message.host.__class__.objects.update(failures=0, open_until=None)

    def test_a_forbidden_address_is_dead_at_once(self):
        refused = Answer(None, b"", {}, "address not allowed: 10.0.0.1", 1, refused=True)
        message = self.delivered(refused, webhook_url=STRANGER)
        self.assertEqual((message.state, message.due_at), (State.DEAD, None))
        self.assertEqual(message.last_error, "address not allowed: 10.0.0.1")
        message.host.refresh_from_db()
        self.assertEqual(message.host.failures, 0)

    def test_a_failed_task_is_delivered_like_a_success(self):
        message = finish(accept(), state=states.FAILURE, result="no")
        sent = self.posted(message)
        self.assertEqual(json.loads(sent["body"])["status"], "cancelled")
        self.assertEqual(message.state, State.DELIVERED)


class ScheduleTests(WebhookTestCase):
    def after(self, attempts, reply, **columns):
        """What becomes of a message whose try number `attempts` is answered so."""
        message = finished()
        Message.objects.filter(pk=message.pk).update(attempts=attempts - 1, **columns)
        base.webhook_answers(self, reply)
        base.deliver()
        message.refresh_from_db()
        Message.objects.exclude(pk=message.pk).delete()
        message.host.__class__.objects.update(failures=0, open_until=None)
        return message

    def test_the_times_between_tries_are_the_contracts_20_percent_more_or_less(self):
        for attempts, seconds in enumerate(SECONDS, start=1):
            with self.subTest(attempts):
                message = self.after(attempts, 500)
                self.assertEqual((message.state, message.attempts), (State.DELIVERING, attempts))
                ahead = base.seconds_until(message)
                self.assertLessEqual(ahead, seconds * 1.2)
                self.assertGreater(ahead, seconds * 0.8 - 5)

    def test_the_times_differ_so_that_not_all_come_back_at_once(self):
        times = {webhook.outcome_of(finished_claim(), answer(500)).due_in for _ in range(50)}
        self.assertGreater(len(times), 40)
        self.assertTrue(all(0.8 <= time <= 1.2 for time in times), times)

    def test_after_the_12th_try_it_is_dead(self):
        message = self.after(12, 503)
        self.assertEqual((message.state, message.attempts), (State.DEAD, 12))
        self.assertEqual((message.due_at, message.last_error), (None, "503"))

    def test_7_days_after_the_first_try_it_is_dead_however_few_there_were(self):
        now = datetime.now(UTC)
        message = self.after(2, 503, delivering_since=now - timedelta(days=7, minutes=1))
        self.assertEqual(message.state, State.DEAD)
        message = self.after(2, 503, delivering_since=now - timedelta(days=6, hours=23))
        self.assertEqual(message.state, State.DELIVERING)

    def test_a_success_after_7_days_is_a_success(self):
        old = datetime.now(UTC) - timedelta(days=8)
        self.assertEqual(self.after(12, 200, delivering_since=old).state, State.DELIVERED)

    def test_retry_after_counts_where_it_is_later(self):
        self.assertGreater(base.seconds_until(self.after(1, answer(429, Retry_After="600"))), 590)
        self.assertLess(base.seconds_until(self.after(1, answer(503, Retry_After="0"))), 2)
        self.assertGreater(base.seconds_until(self.after(5, answer(503, Retry_After="1"))), 1400)


def finished_claim():
    """A message as claimed for the first time."""
    return Message(attempts=1, claims=1)


class RetryAfterTests(TestCase):
    def seconds(self, text):
        return webhook.retry_after(answer(429, Retry_After=text))

    def test_seconds_are_taken_up_to_10_hours(self):
        for text, seconds in (
            ("0", 0),
            ("7", 7),
            (" 120 ", 120),
            ("36000", 36000),
            ("36001", 36000),
            ("9" * 400, 36000),
        ):
            with self.subTest(text[:10]):
                self.assertEqual(self.seconds(text), seconds)

    def test_a_date_is_taken_up_to_10_hours(self):
        for ahead, seconds in ((90, 90), (-90, 0), (3600 * 24 * 365, 36000)):
            with self.subTest(ahead):
                at = datetime.now(UTC) + timedelta(seconds=ahead)
                self.assertAlmostEqual(self.seconds(format_datetime(at)), seconds, delta=5)

    def test_nonsense_asks_for_nothing(self):
        for text in (
            "",
            "soon",
            "-5",
            "1.5",
            "١٢",
            "²",
            "1e3",
            "0x10",
            "5, 6",
            "\x00",
            "Wed",
            "Wed, 21 Oct 99999 07:28:00 GMT",
            "Wed, 99 Oct 2099 07:28:00 GMT",
            " 99999 Oct 07:28:00 \x00 +9999999999999999999",
            "Wed, 21 Oct 2099 07:28:00 +9999999999999999999999",
        ):
            with self.subTest(text):
                self.assertEqual(self.seconds(text), 0)

    def test_no_header_asks_for_nothing(self):
        self.assertEqual(webhook.retry_after(answer(429)), 0)
