"""POST process-message/: the work is done within the request, and its result is like any other."""

import json
from unittest import mock

from celery import states
from django.db import OperationalError
from django.test import TestCase
from django_celery_results.models import TaskResult

from chassis import bell
from messaging import processing, results, services
from messaging.models import Message, State
from messaging.tests import base
from messaging.tests.base import PROCESS, SEND, TASKS, accept, body, finish, finished, new_id


class ProcessTestCase(TestCase):
    def setUp(self):
        base.fresh(self)
        self.api = base.client()

    def process(self, **changes):
        return self.api.post(PROCESS, body(**changes))

    def again(self, message, **changes):
        return self.process(message_id=str(message.message_id), **changes)


class WorkTests(ProcessTestCase):
    def test_the_specifications_example_is_answered_with_its_result(self):
        response = self.process()
        task = TaskResult.objects.get()
        self.assertEqual(response.status_code, 200)
        expected = {"task_id": task.task_id, "status": "SUCCESS", "result": "USDABC123pending"}
        self.assertEqual(response.json(), expected)
        self.assertEqual(json.loads(task.result), "USDABC123pending")

    def test_currency_key_and_status_are_put_together_in_that_order(self):
        found = processing.work(currency="TND", order_key="ABC123", status="pending")
        self.assertEqual(found, "TNDABC123pending")

    def test_the_result_can_be_read_as_a_task(self):
        given = self.process().json()
        shown = self.api.get(f"{TASKS}{given['task_id']}/").json()
        self.assertEqual({name: shown[name] for name in given}, given)
        self.assertEqual(shown["delivery"]["state"], "delivering")

    def test_the_result_is_posted_back_like_any_other(self):
        hook = base.webhook_answers(self, 200)
        with self.captureOnCommitCallbacks() as callbacks:
            given = self.process(webhook_api_key=base.KEY).json()
        self.assertIn(services.delivery_bell.ring, callbacks)
        base.deliver()
        sent = json.loads(hook.calls[0]["body"])
        self.assertEqual((sent["task_id"], sent["status"]), (given["task_id"], "confirmed"))
        self.assertEqual(hook.headers["Authorization"], f"Api-Key {base.KEY}")

    def test_no_task_is_published_for_it(self):
        with (
            mock.patch.object(bell, "publish") as publish,
            self.captureOnCommitCallbacks(execute=True),
        ):
            self.process()
        rung = [call.args[0] for call in publish.call_args_list]
        self.assertEqual(rung, ["messaging.deliver_results"])

    def test_a_path_without_its_last_slash_is_the_same(self):
        self.assertEqual(self.api.post(PROCESS.rstrip("/"), body()).status_code, 200)

    def test_a_bad_message_or_a_list_is_400(self):
        for given in (
            body(address=""),
            body(webhook_url="http://10.0.0.1/"),
            {},
            [],
            [body()],
            None,
        ):
            with self.subTest(given=given):
                response = self.api.post(
                    PROCESS, json.dumps(given), content_type="application/json"
                )
                self.assertEqual(response.status_code, 400, response.content)
        self.assertEqual((base.count(), base.tasks()), (0, 0))


class AgainTests(ProcessTestCase):
    def test_a_known_message_is_answered_with_its_stored_result(self):
        first = self.process(message_id=new_id())
        message = Message.objects.get()
        with mock.patch.object(processing, "work", side_effect=AssertionError("done twice")):
            again = self.again(message)
        self.assertEqual((again.status_code, again.json()), (200, first.json()))
        self.assertEqual((base.count(), base.tasks()), (1, 1))

    def test_one_that_send_message_took_is_409_until_its_task_has_ended(self):
        message = accept()
        self.assertEqual(self.again(message).status_code, 409)
        finish(message)
        again = self.again(message)
        self.assertEqual((again.status_code, again.json()["status"]), (200, "SUCCESS"))

    def test_another_body_is_422_finished_or_not(self):
        for message in (accept(), finished()):
            with self.subTest(message.state):
                response = self.again(message, currency="EUR")
                self.assertEqual(response.status_code, 422)
                self.assertEqual(response.json()["errors"][0]["field"], "message_id")

    def test_asking_again_takes_up_a_delivery_that_has_ended_with_the_url_and_key_sent_last(self):
        message = finished()
        Message.objects.update(state=State.DEAD, due_at=None)
        url = base.HOOK + "?new"
        self.assertEqual(
            self.again(message, webhook_url=url, webhook_api_key="n.k").status_code, 200
        )
        message.refresh_from_db()
        self.assertEqual((message.state, message.webhook_url), (State.DELIVERING, url))
        self.assertEqual(message.webhook_api_key, "n.k")

    def test_send_message_knows_what_process_message_took(self):
        given = self.process(message_id=new_id()).json()
        message = Message.objects.get()
        again = self.api.post(SEND, body(message_id=str(message.message_id))).json()
        self.assertEqual((again["task_id"], again["status"]), (given["task_id"], "SUCCESS"))


class FailureTests(ProcessTestCase):
    def failing(self, error):
        return mock.patch.object(processing, "work", side_effect=error)

    def test_an_exception_of_the_work_is_its_result(self):
        with (
            self.failing(ValueError("no such key")),
            self.assertLogs("messaging.processing", "ERROR"),
        ):
            response = self.process(message_id=new_id())
        self.assertEqual(response.status_code, 200)
        expected = ("FAILURE", "ValueError: no such key")
        self.assertEqual((response.json()["status"], response.json()["result"]), expected)
        again = self.again(Message.objects.get())
        self.assertEqual((again.status_code, again.json()), (200, response.json()))

    def test_a_failed_task_is_posted_back_as_cancelled(self):
        with self.failing(ValueError("no")), self.assertLogs("messaging.processing", "ERROR"):
            self.process()
        hook = base.webhook_answers(self, 200)
        base.deliver()
        self.assertEqual(json.loads(hook.calls[0]["body"])["status"], "cancelled")

    def test_where_the_result_can_not_be_stored_it_is_503_and_the_sweep_takes_the_row_up(self):
        away = mock.patch.object(results, "store", side_effect=OperationalError("away"))
        with away as store, self.assertLogs("django.request", "ERROR"):
            response = self.process()
        self.assertEqual((response.status_code, store.call_count), (503, 1))
        self.assertEqual(response.headers["Retry-After"], "2")
        message = Message.objects.select_related("task").get()
        self.assertEqual((message.state, message.task.status), (State.PROCESSING, states.PENDING))
        self.assertAlmostEqual(base.seconds_until(message), 10, delta=5)

    def test_a_database_error_in_the_work_is_no_result(self):
        with self.failing(OperationalError("away")), self.assertLogs("django.request", "ERROR"):
            self.assertEqual(self.process().status_code, 503)
        self.assertEqual(TaskResult.objects.get().status, states.PENDING)

    def test_where_the_message_can_not_be_stored_it_is_503(self):
        with (
            base.failing_statement('INSERT INTO "messaging_message"'),
            self.assertLogs("django.request", "ERROR"),
        ):
            self.assertEqual(self.process().status_code, 503)
        self.assertEqual(base.tasks(), 0)
