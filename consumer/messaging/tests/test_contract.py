"""The two bodies that the services send each other, as they are written down in e2e/contract."""

import json
from pathlib import Path

from celery import states
from django.test import TestCase
from standardwebhooks import Webhook

from messaging import services
from messaging.models import Message
from messaging.tests import base
from messaging.tests.base import SEND, TASKS

CONTRACT = Path(__file__).resolve().parents[3] / "e2e" / "contract"


def golden(name):
    return json.loads((CONTRACT / name).read_text())


class ContractTests(TestCase):
    def setUp(self):
        base.fresh(self)
        self.api = base.client()
        self.given = golden("message.json")

    def test_send_message_takes_the_agreed_message_as_it_stands(self):
        for message in (self.given, [self.given]):
            with self.subTest(many=isinstance(message, list)):
                self.assertEqual(self.api.post(SEND, message).status_code, 202)
        kept = Message.objects.get()
        self.assertEqual({name: str(getattr(kept, name)) for name in self.given}, self.given)

    def delivered(self, state, result):
        self.api.post(SEND, self.given)
        message = base.finish(
            Message.objects.select_related("task").get(), state=state, result=result
        )
        hook = base.webhook_answers(self, 200)
        base.deliver()
        return message, hook.calls[0]

    def test_the_webhook_is_sent_the_agreed_body(self):
        message, sent = self.delivered(states.SUCCESS, "TNDABC123pending")
        agreed = golden("webhook.json")
        self.assertEqual(json.loads(sent["body"]), agreed | {"task_id": message.task.task_id})
        self.assertEqual(sent["url"], self.given["webhook_url"])

    def test_of_a_failed_task_too(self):
        failure = {"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "builtins"}
        _, sent = self.delivered(states.FAILURE, failure)
        found, agreed = json.loads(sent["body"]), golden("webhook.json")
        self.assertEqual(
            {n: type(v) for n, v in found.items()}, {n: type(v) for n, v in agreed.items()}
        )
        self.assertEqual((found["status"], found["result"]), ("cancelled", "ValueError: no"))

    def test_the_webhook_is_sent_the_agreed_headers(self):
        _, sent = self.delivered(states.SUCCESS, "TNDABC123pending")
        headers = sent["headers"]
        self.assertEqual(set(headers), {
            "Content-Type", "Authorization", "X-Request-ID",
            "webhook-id", "webhook-timestamp", "webhook-signature",
        })  # fmt: skip
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(headers["Authorization"], f"Api-Key {self.given['webhook_api_key']}")
        self.assertEqual(headers["webhook-id"], self.given["message_id"])
        (secret,) = services.settings.WEBHOOK_SIGNING_SECRETS
        Webhook(secret).verify(sent["body"].decode(), headers)

    def test_the_task_that_was_answered_is_the_one_posted_back_and_shown(self):
        answered = self.api.post(SEND, self.given).json()["task_id"]
        message, sent = self.delivered(states.SUCCESS, "TNDABC123pending")
        self.assertEqual(json.loads(sent["body"])["task_id"], answered)
        shown = self.api.get(f"{TASKS}{answered}/").json()
        self.assertEqual(shown["message_id"], self.given["message_id"])
