"""No body, however odd, is answered with a server error. Random, but the same at each run."""

from unittest import mock

from django.test import TestCase
from django_celery_results.models import TaskResult

from chassis import bell
from chassis.fuzzing import FuzzAssertions
from messaging.tests import base
from messaging.tests.base import PROCESS, SEND, TASKS, body


class FuzzTests(FuzzAssertions, TestCase):
    def setUp(self):
        base.fresh(self)
        self.enterContext(mock.patch.object(bell, "publish"))
        self.api = base.client()
        self.message = body(webhook_api_key="abcdefgh.key")

    def test_sending_a_message(self):
        self.throw(self.api, "post", SEND, self.message, {202, 400}, share=1 / 3)

    def test_sending_the_same_message_again(self):
        known = self.message | {"message_id": base.new_id()}
        self.throw(self.api, "post", SEND, known, {202, 400, 422}, share=1 / 3)

    def test_sending_a_list(self):
        self.throw(self.api, "post", SEND, [self.message] * 3, {202, 400}, share=1 / 3)

    def test_processing_a_message(self):
        self.throw(self.api, "post", PROCESS, self.message, {200, 400})

    def test_recording_a_task(self):
        task = {"task_id": "t", "status": "SUCCESS", "result": None}
        self.throw(self.api, "post", TASKS, task, {201, 400})
        self.assertEqual(self.api.get(TASKS).status_code, 200)

    def test_editing_a_task(self):
        TaskResult.objects.create(task_id="t", status="SUCCESS")
        task = {"task_id": "t", "status": "SUCCESS", "result": 1}
        for method in ("put", "patch"):
            self.throw(self.api, method, f"{TASKS}t/", task, {200, 400}, share=1 / 2)
        self.assertEqual(self.api.get(f"{TASKS}t/").status_code, 200)

    def test_delivering_again(self):
        task = base.finished().task.task_id
        self.throw(self.api, "post", f"{TASKS}{task}/redeliver/", {}, {202})
