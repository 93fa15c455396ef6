"""POST orders/<uuid>/status/update: the order of its checks, and what a delivery does."""

import json
import uuid
from unittest.mock import patch

from django.test import TransactionTestCase
from rest_framework_api_key.models import APIKey

from chassis.testing import ProblemAssertions, at_once
from orders import services
from orders.models import Order, OrderAPIKey, OrderStatus, TaskResult
from orders.tests.base import (
    ORDERS,
    TASK,
    JsonClient,
    OrdersTestCase,
    cancel,
    client_of,
    client_with_key,
    confirm,
    make_order,
    make_order_key,
    make_service_key,
    make_user,
    order_url,
    webhook_url,
    yesterday,
)

BODY = {"task_id": TASK, "status": "confirmed", "result": "TNDABC123pending"}


class WebhookCase(OrdersTestCase):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.key = make_order_key(cls.order)

    def setUp(self):
        super().setUp()
        self.caller = client_with_key(self.key)

    def deliver(self, **changes):
        return self.caller.post(webhook_url(self.order), {**BODY, **changes})

    def status(self):
        return Order.objects.get(pk=self.order.pk).status

    def results(self):
        return list(TaskResult.objects.order_by("pk").values_list("task_id", "result", "order_id"))


class DeliveryTests(WebhookCase):
    def test_a_result_confirms_the_order(self):
        response = self.deliver()
        expected = {"uuid": str(self.order.uuid), "status": "confirmed"}
        self.assertEqual((response.status_code, response.json()), (200, expected))
        self.assertEqual(self.status(), "confirmed")
        self.assertEqual(self.results(), [(TASK, "TNDABC123pending", self.order.pk)])

    def test_a_task_that_failed_for_good_cancels_the_order(self):
        response = self.deliver(status="cancelled", result="ValueError: no")
        self.assertEqual(response.json()["status"], "cancelled")
        self.assertEqual(self.status(), "cancelled")
        self.assertEqual(self.results(), [(TASK, "ValueError: no", self.order.pk)])

    def test_the_order_keeps_the_task_that_settled_it(self):
        self.deliver()
        self.deliver(task_id="another")
        self.assertEqual(Order.objects.get(pk=self.order.pk).task_id, TASK)

    def test_the_move_is_told_by_updated_at(self):
        self.deliver()
        order = Order.objects.get(pk=self.order.pk)
        self.assertGreater(order.updated_at, self.order.updated_at)

    def test_a_service_key_moves_any_order(self):
        self.caller = client_with_key(make_service_key())
        self.assertEqual(self.deliver().status_code, 200)
        self.assertEqual(self.status(), "confirmed")

    def test_a_confirmed_order_is_not_due_any_more(self):
        self.deliver()
        self.assertNotIn(self.order, Order.objects.due())

    def test_unknown_fields_are_ignored(self):
        self.assertEqual(self.deliver(order="x", traceback=["y"]).status_code, 200)

    def test_a_result_may_be_empty_and_keeps_its_spaces(self):
        self.deliver(result="")
        self.deliver(task_id="t2", result="  TND ")
        self.assertEqual([row[1] for row in self.results()], ["", "  TND "])

    def test_the_customer_sees_the_result(self):
        self.deliver()
        shown = self.client.get("/api/v1/data/task-results/").json()["results"]
        self.assertEqual([row["task_id"] for row in shown], [TASK])


class RepeatTests(WebhookCase):
    def test_a_repeated_delivery_changes_nothing(self):
        first = self.deliver()
        before = Order.objects.filter(pk=self.order.pk).values().get(), self.results()
        again = self.deliver()
        self.assertEqual((again.status_code, again.json()), (first.status_code, first.json()))
        after = Order.objects.filter(pk=self.order.pk).values().get(), self.results()
        self.assertEqual(after, before)

    def test_the_first_result_stands(self):
        self.deliver()
        again = self.deliver(status="cancelled", result="another")
        self.assertEqual((again.status_code, again.json()["status"]), (200, "confirmed"))
        self.assertEqual(self.results(), [(TASK, "TNDABC123pending", self.order.pk)])

    def test_a_final_status_stays_whoever_set_it(self):
        for settle, status in ((confirm, "confirmed"), (cancel, "cancelled")):
            self.order = make_order(self.user)
            self.caller = client_with_key(make_order_key(self.order))
            settle(self.order)
            for new in ("confirmed", "cancelled"):
                with self.subTest(status, new=new):
                    response = self.deliver(status=new, task_id=f"{status} {new}")
                    self.assertEqual(response.json()["status"], status)
                    self.assertEqual(self.status(), status)

    def test_a_result_for_a_cancelled_order_is_recorded_and_does_not_revive_it(self):
        self.client.patch(order_url(self.order), {"status": "cancelled"})
        response = self.deliver()
        self.assertEqual((response.status_code, response.json()["status"]), (200, "cancelled"))
        self.assertEqual(self.results(), [(TASK, "TNDABC123pending", self.order.pk)])

    def test_a_second_task_of_an_order_is_recorded_beside_the_first(self):
        self.deliver()
        self.assertEqual(
            self.deliver(task_id="t2", status="cancelled").json()["status"], "confirmed"
        )
        self.assertEqual([row[0] for row in self.results()], [TASK, "t2"])

    def test_a_task_of_another_order_is_a_conflict(self):
        TaskResult.objects.create(task_id=TASK, result="r", order=make_order(self.other))
        before = self.results()
        self.assert_problem(self.deliver(), 409)
        self.assertEqual((self.status(), self.results()), ("pending", before))

    def test_a_result_stored_without_an_order_becomes_this_orders(self):
        TaskResult.objects.create(task_id=TASK, result="by hand")
        self.assertEqual(self.deliver().status_code, 200)
        self.assertEqual(self.status(), "confirmed")
        self.assertEqual(self.results(), [(TASK, "by hand", self.order.pk)])


class CheckOrderTests(WebhookCase):
    """The checks one by one, each request wrong in everything that is checked later."""

    def call(self, client, url, body="{", kind="application/json", **headers):
        return client.post(url, body, content_type=kind, headers=headers)

    def test_no_credentials_come_first(self):
        for client in (JsonClient(), client_of(self.user)):
            response = self.call(client, webhook_url(self.order), "x" * 2**21, kind="text/plain")
            self.assert_problem(response, 401)
            self.assertEqual(response.headers["WWW-Authenticate"], "Api-Key")

    def test_then_a_body_that_is_too_large(self):
        url, large = f"{ORDERS}{uuid.uuid4()}/status/update", "x" * (2**20 + 1)
        self.assert_problem(self.call(client_with_key("a.b"), url, large, kind="text/plain"), 413)

    def test_then_a_body_that_is_no_json(self):
        url = f"{ORDERS}{uuid.uuid4()}/status/update"
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            with self.subTest(kind):
                self.assert_problem(self.call(client_with_key("a.b"), url, kind=kind), 415)

    def test_then_an_unknown_order(self):
        url = f"{ORDERS}{uuid.uuid4()}/status/update"
        expired = make_order_key(self.order, **yesterday())
        for key in ("a.b", self.key, expired, make_service_key()):
            with self.subTest(key):
                self.assert_problem(self.call(client_with_key(key), url), 404)

    def test_then_a_key_that_is_bad_revoked_or_expired(self):
        other = make_order(self.other)
        for key in (
            "a.b", f"{self.key}x", self.key[:-1], make_order_key(self.order, revoked=True),
            make_order_key(self.order, **yesterday()), make_order_key(other, revoked=True),
            make_service_key(revoked=True), make_service_key(**yesterday()),
        ):  # fmt: skip
            with self.subTest(key):
                response = self.call(client_with_key(key), webhook_url(self.order))
                self.assert_problem(response, 401)
                self.assertEqual(response.headers["WWW-Authenticate"], "Api-Key")

    def test_then_a_key_for_something_else(self):
        key = make_order_key(make_order(self.user))  # of the same customer
        response = self.call(client_with_key(key), webhook_url(self.order), webhook_id="forged")
        self.assert_problem(response, 403)

    def test_then_the_signature(self):
        response = self.call(self.caller, webhook_url(self.order), webhook_id="forged")
        self.assert_problem(response, 401)

    def test_then_the_body(self):
        for text in ("{", "", "[]", "null", "{}", '"text"', "\ufeff{}", "[" * 40 + "]" * 40, "NaN"):
            with self.subTest(text):
                response = self.call(self.caller, webhook_url(self.order), text)
                self.assert_problem(response, 400)
        self.assert_invalid(
            self.call(self.caller, webhook_url(self.order), "{}"), "task_id", "status", "result"
        )

    def test_then_a_bad_field(self):
        TaskResult.objects.create(task_id=TASK, result="r", order=make_order(self.other))
        for name, values in {
            "task_id": ("", None, [], "x" * 256, "a\x00b", True),
            "status": ("pending", "Confirmed", "", None, 1, [], "done"),
            "result": (None, [], {}, "x" * 256, "a\x00b", True),
        }.items():
            for value in values:
                with self.subTest(name, value=value):
                    self.assert_invalid(self.deliver(**{name: value}), name)

    def test_then_a_task_of_another_order(self):
        TaskResult.objects.create(task_id=TASK, result="r", order=make_order(self.other))
        self.assert_problem(self.deliver(), 409)

    def test_a_refused_call_changes_nothing(self):
        self.deliver(status="pending")
        self.assertEqual((self.status(), self.results()), ("pending", []))

    def test_json_is_known_in_any_case_and_with_a_charset(self):
        for kind in ("application/json; charset=utf-8", "Application/JSON"):
            with self.subTest(kind):
                response = self.call(self.caller, webhook_url(self.order), json.dumps(BODY), kind)
                self.assertEqual(response.status_code, 200)


class KeyTests(WebhookCase):
    def test_an_orders_key_opens_nothing_else(self):
        for method, url in (
            ("get", order_url(self.order)), ("patch", order_url(self.order)), ("get", ORDERS),
            ("get", order_url(self.order, "timeline/")), ("get", "/api/v1/users/me"),
        ):  # fmt: skip
            with self.subTest(f"{method} {url}"):
                self.assert_problem(getattr(self.caller, method)(url, {}), 401)

    def test_a_deleted_orders_key_is_of_no_use(self):
        self.client.delete(order_url(self.order))
        self.assertEqual(OrderAPIKey.objects.count(), 0)
        self.assert_problem(self.deliver(), 404)

    def test_a_key_made_as_the_specification_says_works(self):
        _, key = APIKey.objects.create_key(name="my-remote-service")
        self.caller = client_with_key(key)
        self.assertEqual(self.deliver().status_code, 200)


class DeletedMeanwhileTests(ProblemAssertions, TransactionTestCase):
    def setUp(self):
        self.order = make_order(make_user())
        self.caller = client_with_key(make_order_key(self.order))

    def test_an_order_deleted_since_it_was_looked_up_is_404_and_leaves_no_result(self):
        def delete_first(*args, **kwargs):
            services.delete_order(order=self.order)
            return record(*args, **kwargs)

        record = services.record_result
        with patch("orders.services.record_result", delete_first):
            self.assert_problem(self.caller.post(webhook_url(self.order), BODY), 404)
        self.assertEqual(TaskResult.objects.count(), 0)


class WebhookRaceTests(TransactionTestCase):
    def setUp(self):
        self.order = make_order(make_user())
        self.clients = [client_with_key(make_order_key(self.order)) for _ in range(4)]

    def test_of_several_deliveries_at_once_one_moves_the_order(self):
        def call(number):
            return self.clients[number].post(webhook_url(self.order), BODY)

        answers = at_once(4, call)
        self.assertEqual(
            [(a.status_code, a.json()["status"]) for a in answers], [(200, "confirmed")] * 4
        )
        self.assertEqual(TaskResult.objects.count(), 1)

    def test_deliveries_that_disagree_all_hear_of_the_one_that_came_first(self):
        def call(number):
            status = "confirmed" if number % 2 else "cancelled"
            body = {**BODY, "status": status, "task_id": f"t{number}"}
            return self.clients[number].post(webhook_url(self.order), body).json()["status"]

        told = set(at_once(4, call))
        self.assertEqual(told, {Order.objects.get().status})
        self.assertNotEqual(told, {OrderStatus.PENDING})
        self.assertEqual(TaskResult.objects.count(), 4)

    def test_a_customer_who_cancels_and_a_delivery_agree_on_what_came_first(self):
        customer = client_of(self.order.user)

        def call(number):
            if number:
                return self.clients[0].post(webhook_url(self.order), BODY).status_code
            return customer.patch(order_url(self.order), {"status": "cancelled"}).status_code

        patched, delivered = at_once(2, call)
        status = Order.objects.get().status
        self.assertEqual(delivered, 200)
        self.assertEqual(patched, 200 if status == "cancelled" else 409)

    def test_a_customer_who_deletes_and_a_delivery_harm_nobody(self):
        customer = client_of(self.order.user)

        def call(number):
            if number:
                return self.clients[0].post(webhook_url(self.order), BODY).status_code
            return customer.delete(order_url(self.order)).status_code

        deleted, delivered = at_once(2, call)
        self.assertIn((deleted, delivered), {(204, 404), (409, 200)})
        self.assertEqual(TaskResult.objects.count(), Order.objects.count())
