"""What the consumer answers, and what it posts, is what its OpenAPI document says."""

import json

from celery import states
from django.test import TestCase
from jsonschema import Draft202012Validator

from chassis.openapi_testing import ExampleTests, assert_valid, openapi, operations
from messaging.tests.base import (
    HOOK,
    PROCESS,
    SEND,
    TASKS,
    answer,
    body,
    client,
    deliver,
    finish,
    finished,
    fresh,
    new_id,
    webhook_answers,
)


class DocumentTests(ExampleTests, TestCase):
    def setUp(self) -> None:
        super().setUp()
        fresh(self)
        self.api, self.seen = client(), set()

    def test_every_operation_answers_as_its_document_says(self):
        self.messages()
        self.tasks()
        self.by_hand()
        self.assertEqual(self.seen, set(operations()))

    def messages(self):
        known = new_id()
        one = self.check("send_message", self.api.post(SEND, body(message_id=known)), 202)
        self.assertIn("Location", one.headers)
        self.check("send_message", self.api.post(SEND, [body(), body()]), 202)
        self.check("send_message", self.api.post(SEND, []), 400)
        self.check("send_message", self.api.post(SEND, body(address=None)), 400)
        other = body(message_id=known, order_key="X")
        self.check("send_message", self.api.post(SEND, other), 422)
        self.check("send_message", client("wrong.key").post(SEND, body()), 401)
        self.check("process_message", self.api.post(PROCESS, body()), 200)
        self.check("process_message", self.api.post(PROCESS, body(message_id=known)), 409)

    def tasks(self):
        webhook_answers(self, 500, answer(None, error="timed out"))
        message, failed = finished(), finished()
        deliver()
        for row in (message, failed):
            self.check("get_task", self.api.get(f"{TASKS}{row.task.task_id}/"), 200)
        url = f"{TASKS}{message.task.task_id}/"
        self.check("list_tasks", self.api.get(TASKS, {"page_size": 2}), 200)
        self.check("list_tasks", self.api.get(TASKS, {"status": "lost"}), 400)
        self.check("redeliver_task", self.api.post(f"{url}redeliver/"), 202)
        self.check("change_task", self.api.patch(url, {"status": "FAILURE"}), 409)
        self.check("delete_task", self.api.delete(url), 409)
        self.check("get_task", self.api.get(f"{TASKS}nothing/"), 404)

    def by_hand(self):
        url = f"{TASKS}by-hand/"
        sent = {"task_id": "by-hand", "status": "SUCCESS", "result": {"any": [None, 1]}}
        self.check("create_task", self.api.post(TASKS, sent), 201)
        self.check("create_task", self.api.post(TASKS, sent), 400)
        self.check("replace_task", self.api.put(url, {"status": "FAILURE", "result": None}), 200)
        self.check("change_task", self.api.patch(url, {"result": 1.5}), 200)
        self.check("redeliver_task", self.api.post(f"{url}redeliver/"), 409)
        self.check("delete_task", self.api.delete(url), 204)

    def test_what_is_posted_to_a_webhook_is_as_the_document_says(self):
        said = openapi()["webhooks"]["task-result"]["post"]
        schema = said["requestBody"]["content"]["application/json"]["schema"]
        hook = webhook_answers(self, 200)
        for state in (states.SUCCESS, states.FAILURE):
            finish(accepted := finished(webhook_url=HOOK), state=state)
            deliver()
            self.assertEqual(hook.headers["webhook-id"], str(accepted.message_id))
            assert_valid(schema, json.loads(hook.calls[-1]["body"]))
            for header in said["parameters"]:
                Draft202012Validator(header["schema"]).validate(hook.headers[header["name"]])
