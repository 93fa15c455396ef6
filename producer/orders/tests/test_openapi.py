"""What the producer answers is what its OpenAPI document says; the users' endpoints included."""

from unittest.mock import patch

from django.conf import settings

from chassis.openapi_testing import ExampleTests, operations
from orders import examples, services, tasks
from orders.tests.base import (
    EXAMPLE,
    ORDERS,
    TASK,
    TASK_RESULTS,
    ConsumerMixin,
    JsonClient,
    OrdersTestCase,
    answer,
    client_of,
    client_with_key,
    confirm,
    make_order,
    make_service_key,
    make_user,
    order_url,
    set_order,
    webhook_url,
)

ACCOUNT, TOKEN, ME = (f"/api/v1/users/{name}" for name in ("create", "token", "me"))
NEW = {"username": "yahya", "email": "yahya@example.com", "password": "1234567yahya@"}
# What the consumer answers about the order's task.
TASK_SHOWN = {
    "task_id": TASK,
    "status": "SUCCESS",
    "result": "TNDABC123pending",
    "date_created": "2099-01-01T00:00:01Z",
    "date_done": "2099-01-01T00:00:02Z",
    "delivery": {
        "state": "delivering",
        "attempts": 1,
        "due_at": None,
        "last_error": "500",
        "log": [{"at": "2099-01-01T00:00:03Z", "ms": 7, "status": None, "error": "timed out"}],
    },
}


class DocumentTests(ExampleTests, ConsumerMixin, OrdersTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.seen: set[str] = set()
        self.service = client_with_key(make_service_key())

    def test_every_operation_answers_as_its_document_says(self):
        self.account()
        self.orders()
        self.webhook()
        self.task_results()
        self.assertEqual(self.seen, set(operations()))

    def account(self):
        anyone = JsonClient()
        self.check("create_user", anyone.post(ACCOUNT, NEW), 201)
        self.check("create_user", anyone.post(ACCOUNT, NEW), 400)
        self.check("create_token", anyone.post(TOKEN, {**NEW, "password": "no"}), 401)
        token = self.check("create_token", anyone.post(TOKEN, NEW), 200).json()["token"]
        anyone.credentials(HTTP_AUTHORIZATION=f"Token {token}")
        self.check("get_me", anyone.get(ME), 200)
        self.check("replace_user", anyone.put(ACCOUNT, {**NEW, "password": "a-new-one-8"}), 400)
        names = {"username": "yahya", "email": "yahya@example.com", "phone_number": None}
        self.check("replace_user", anyone.put(ACCOUNT, names), 200)
        self.check("change_user", anyone.patch(ACCOUNT, {"phone_number": "+21658741196"}), 200)
        token = self.check("replace_token", anyone.put(TOKEN), 200).json()["token"]
        self.check("renew_token", anyone.patch(TOKEN), 401)
        anyone.credentials(HTTP_AUTHORIZATION=f"Token {token}")
        token = self.check("renew_token", anyone.patch(TOKEN), 200).json()["token"]
        anyone.credentials(HTTP_AUTHORIZATION=f"Token {token}")
        self.check("delete_token", anyone.delete(TOKEN), 204)
        self.check("delete_user", anyone.delete(ACCOUNT), 401)
        self.check("delete_user", client_of(make_user("sami")).delete(ACCOUNT), 204)

    def orders(self):
        url, sent = order_url(self.order), examples.ORDER
        key = {"Idempotency-Key": "one"}
        self.check("create_order", self.client.post(ORDERS, sent, headers=key), 201)
        self.check("create_order", self.client.post(ORDERS, EXAMPLE | {"items": []}), 400)
        again = EXAMPLE | {"address": "elsewhere"}
        self.check("create_order", self.client.post(ORDERS, again, headers=key), 422)
        self.check("create_order", self.client.post(ORDERS, "x", content_type="text/plain"), 415)
        self.check("list_orders", self.client.get(ORDERS, {"page_size": 1}), 200)
        self.check("list_orders", self.client.get(ORDERS, {"cursor": "nonsense"}), 400)
        self.check("list_orders", self.client.get(ORDERS, headers={"Accept": "text/html"}), 406)
        self.check("get_order", self.client.get(url), 200)
        self.check("get_order", client_of(self.other).get(url), 404)
        self.check("replace_order", self.client.put(url, EXAMPLE), 200)
        self.check("change_order", self.client.patch(url, examples.EDIT), 200)
        self.check("get_order_timeline", self.client.get(order_url(self.order, "timeline/")), 200)
        cancelled = self.client.patch(url, {"status": "cancelled"})
        self.check("change_order", cancelled, 200)
        self.check("replace_order", self.client.put(url, EXAMPLE), 409)
        self.check("delete_order", self.client.delete(url), 204)
        self.timeline()

    def timeline(self):
        """Of an order that was sent and settled, with all that the consumer says of it."""
        order = make_order(self.user)
        tasks.dispatch_orders()
        services.record_result(order_id=order.pk, task_id=TASK, status="confirmed", result="done")
        set_order(order, task_id=TASK)
        with patch("chassis.http.get", return_value=answer(200, TASK_SHOWN)):
            found = self.client.get(order_url(order, "timeline/"))
        self.check("get_order_timeline", found, 200)
        self.assertEqual(found.json()["consumer"], "ok")
        shown = {event["event"] for event in found.json()["events"]}
        self.assertLessEqual({"sent", "processed", "delivery failed", "confirmed"}, shown)

    def webhook(self):
        order = make_order(self.user)
        url, sent = webhook_url(order), examples.WEBHOOK | {"task_id": "another"}
        name = "update_order_status"
        with self.settings(WEBHOOK_SIGNATURE_REQUIRED=False):
            self.check(name, self.service.post(url, sent), 200)
            self.check(name, self.service.post(url, {}), 400)
        with self.settings(WEBHOOK_SIGNATURE_REQUIRED=True):
            self.check(name, self.service.post(url, sent), 401)
        self.check(name, JsonClient().post(url, sent), 401)
        confirm(order)
        self.check("delete_order", self.client.delete(order_url(order)), 409)

    def task_results(self):
        row, api = f"{TASK_RESULTS}by-hand/", self.service
        self.check("create_task_result", api.post(TASK_RESULTS, {"task_id": "by-hand"}), 400)
        sent = {"task_id": "by-hand", "result": ""}
        self.check("create_task_result", api.post(TASK_RESULTS, sent), 201)
        self.check("create_task_result", self.client.post(TASK_RESULTS, sent), 403)
        self.check("list_task_results", api.get(TASK_RESULTS), 200)
        self.check("get_task_result", api.get(row), 200)
        self.check("get_task_result", self.client.get(row), 404)
        self.check("replace_task_result", api.put(row, {"result": "new"}), 200)
        self.check("change_task_result", api.patch(row, {"result": "newer"}), 200)
        self.check("delete_task_result", api.delete(row), 204)

    def test_the_webhooks_example_is_the_bodys_that_both_services_agreed_on(self):
        agreed = settings.BASE_DIR.parent / "e2e" / "contract" / "webhook.json"
        self.assertEqual(agreed.read_text().count(TASK), 1)
        self.assertEqual(set(examples.WEBHOOK), {"task_id", "status", "result"})
