"""GET orders/<uuid>/timeline/: an order's steps across both services."""

import json
import uuid
from contextlib import ExitStack
from datetime import datetime
from unittest.mock import patch

from django.conf import settings
from django.db.models.functions import Now

from orders import services, tasks, timeline
from orders.models import Order
from orders.tests.base import (
    TASK,
    FakeConsumer,
    OrdersTestCase,
    answer,
    order_url,
    refusal,
    set_order,
    unreached,
)

DELIVERY = {
    "state": "delivered",
    "attempts": 2,
    "due_at": None,
    "last_error": "",
    "log": [
        {"at": "2099-01-01T00:00:03Z", "ms": 7, "status": 500, "error": "500"},
        {"at": "2099-01-01T00:00:04Z", "ms": 9, "status": 200, "error": ""},
    ],
}
SHOWN = {
    "task_id": TASK,
    "status": "SUCCESS",
    "result": "TNDABC123pending",
    "date_created": "2099-01-01T00:00:01Z",
    "date_done": "2099-01-01T00:00:02Z",
    "message_id": "c151efba-f415-4d2a-8b8f-161f30456aff",
    "order_key": "ABC123",
    "delivery": DELIVERY,
}


class TimelineTests(OrdersTestCase):
    def setUp(self):
        super().setUp()
        self.get = self.enterContext(patch("chassis.http.get", return_value=answer(200, SHOWN)))

    def timeline(self):
        response = self.client.get(order_url(self.order, "timeline/"))
        self.assertEqual(response.status_code, 200, response.content)
        return response.json()

    def events(self):
        return [f"{event['service']} {event['event']}" for event in self.timeline()["events"]]

    def dispatch(self, reply):
        Order.objects.update(due_at=Now())
        with patch("chassis.http.post", FakeConsumer(reply)):
            tasks.dispatch_orders()

    def test_a_new_order_was_accepted_and_the_consumer_is_not_asked(self):
        body = self.timeline()
        self.assertEqual([event["event"] for event in body["events"]], ["accepted"])
        self.assertEqual((body["status"], body["consumer"]), ("pending", "not asked yet"))
        self.assertEqual(body["dispatch"]["state"], "waiting")
        self.assertIsNone(body["delivery"])
        self.assertFalse(self.get.called)

    def test_every_step_of_a_confirmed_order_is_there_in_order(self):
        self.dispatch(lambda messages: answer(202, [{"task_id": TASK}]))
        services.record_result(
            order_id=self.order.pk, task_id=TASK, status="confirmed", result="TNDABC123pending"
        )
        body = self.timeline()
        self.assertEqual(body["uuid"], str(self.order.uuid))
        self.assertEqual((body["status"], body["task_id"]), ("confirmed", TASK))
        self.assertEqual((body["consumer"], body["dispatch"]["state"]), ("ok", "done"))
        self.assertIsNone(body["dispatch"]["due_at"])
        self.assertEqual(body["delivery"], {k: v for k, v in DELIVERY.items() if k != "log"})
        self.assertEqual(sorted(self.events()), sorted([
            "producer accepted", "producer sent", "producer result", "producer confirmed",
            "consumer task", "consumer processed", "consumer delivery failed", "consumer delivered",
        ]))  # fmt: skip
        times = [datetime.fromisoformat(event["at"]) for event in body["events"]]
        self.assertEqual(times, sorted(times))

    def test_the_consumer_is_asked_for_the_orders_task_with_the_key_and_little_patience(self):
        set_order(self.order, task_id=TASK)
        self.timeline()
        (url,), options = self.get.call_args
        self.assertEqual(url, f"{settings.CONSUMER_URL}/api/v1/consumer/tasks/{TASK}/")
        self.assertEqual(
            options["headers"]["Authorization"], f"Api-Key {settings.CONSUMER_API_KEY}"
        )
        self.assertLessEqual(options["total_timeout"], 3)

    def test_failed_attempts_are_shown_with_their_reason(self):
        self.dispatch(lambda messages: unreached("timed out after 10 s"))
        body = self.timeline()
        sent = body["events"][-1]
        self.assertEqual((sent["event"], sent["status"], sent["ms"]), ("sent", None, 3))
        self.assertEqual(sent["error"], "timed out after 10 s")
        self.assertEqual(body["dispatch"]["last_error"], "timed out after 10 s")
        self.assertEqual((body["dispatch"]["state"], body["dispatch"]["attempts"]), ("waiting", 1))

    def test_an_accepted_and_a_refused_order_say_so(self):
        self.dispatch(lambda messages: answer(202, [{"task_id": TASK}]))
        self.assertEqual(self.timeline()["dispatch"]["state"], "accepted")
        with self.assertLogs("orders.dispatch", "ERROR"):
            self.dispatch(lambda messages: refusal(400, _0_address="odd"))
        dispatch = self.timeline()["dispatch"]
        self.assertEqual((dispatch["state"], dispatch["due_at"]), ("refused", None))
        self.assertEqual(dispatch["last_error"], "refused: 400 address: odd")

    def test_with_the_consumer_away_the_producers_part_is_shown(self):
        set_order(self.order, task_id=TASK)
        answers = [answer(status, {}) for status in (200, 401, 404, 500)]
        answers += [answer(200, body) for body in (b"<html>", b"\xff", [1])]
        for given in (unreached(), *answers):
            with self.subTest(given.status):
                self.get.return_value = given
                body = self.timeline()
                self.assertEqual((body["consumer"], body["delivery"]), ("unavailable", None))
                self.assertEqual([event["event"] for event in body["events"]], ["accepted"])

    def test_while_several_ask_a_silent_consumer_the_others_do_without(self):
        set_order(self.order, task_id=TASK)
        with ExitStack() as others:
            for _ in range(settings.WEB_THREADS // 2):
                others.enter_context(timeline.asking)
            self.assertEqual(self.timeline()["consumer"], "unavailable")
            self.get.assert_not_called()
        self.assertEqual(self.timeline()["consumer"], "ok")

    def test_a_task_in_another_form_than_agreed_counts_as_unavailable(self):
        set_order(self.order, task_id=TASK)
        for name, values in {
            "date_created": (None, "yesterday", 5, "2099-01-01"),
            "date_done": ("soon", 5),
            "delivery": ("x", [1], {"log": [{}]}, {"log": [{"at": None, "status": 200}]}),
        }.items():
            for value in values:
                with self.subTest(name, value=value):
                    self.get.return_value = answer(200, {**SHOWN, name: value})
                    self.assertEqual(self.timeline()["consumer"], "unavailable")

    def test_a_task_without_a_result_or_a_delivery_is_shown(self):
        set_order(self.order, task_id=TASK)
        self.get.return_value = answer(200, {**SHOWN, "date_done": None, "delivery": None})
        self.assertEqual(self.events(), ["producer accepted", "consumer task"])
        self.assertIsNone(self.timeline()["delivery"])

    def test_a_cancelled_order_tells_when(self):
        self.client.patch(order_url(self.order), {"status": "cancelled"})
        self.assertEqual(self.events(), ["producer accepted", "producer cancelled"])

    def test_an_unknown_order_is_404(self):
        url = order_url(self.order, "timeline/").replace(str(self.order.uuid), str(uuid.uuid4()))
        self.assert_problem(self.client.get(url), 404)

    def test_no_secret_is_shown(self):
        self.dispatch(lambda messages: answer(202, [{"task_id": TASK}]))
        text = json.dumps(self.timeline())
        for secret in (settings.CONSUMER_API_KEY, "webhook_api_key", "Api-Key"):
            self.assertNotIn(secret, text)
