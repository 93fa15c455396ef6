"""No body, however odd, is answered with a server error. Random, but the same at each run."""

from django.test import TestCase

from chassis.fuzzing import ODD, FuzzAssertions
from orders.tests.base import (
    EXAMPLE,
    ORDERS,
    TASK,
    TASK_RESULTS,
    client_of,
    client_with_key,
    make_order,
    make_order_key,
    make_user,
    order_url,
    webhook_url,
)


class FuzzTests(FuzzAssertions, TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = make_user()
        cls.staff = make_user("staff", is_staff=True)
        cls.order = make_order(cls.user)
        cls.key = make_order_key(cls.order)

    def test_posting_an_order(self):
        self.throw(client_of(self.user), "post", ORDERS, EXAMPLE, {201, 400})

    def test_replacing_an_order(self):
        self.throw(
            client_of(self.user), "put", order_url(self.order), EXAMPLE, {200, 400}, share=1 / 2
        )

    def test_editing_an_order(self):
        allowed = {200, 400, 409}  # it may be cancelled on the way
        self.throw(
            client_of(self.user), "patch", order_url(self.order), EXAMPLE, allowed, share=1 / 2
        )

    def test_the_webhook(self):
        body = {"task_id": TASK, "status": "confirmed", "result": "TNDABC123pending"}
        client = client_with_key(self.key)
        self.throw(client, "post", webhook_url(self.order), body, {200, 400})

    def test_task_results(self):
        body = {"task_id": TASK, "result": "TNDABC123pending", "order": str(self.order.uuid)}
        client = client_of(self.staff)
        client.post(TASK_RESULTS, body)
        self.throw(client, "post", TASK_RESULTS, body, {201, 400})
        self.throw(client, "put", f"{TASK_RESULTS}{TASK}/", body, {200, 400}, share=1 / 2)
        self.throw(client, "patch", f"{TASK_RESULTS}{TASK}/", body, {200, 400}, share=1 / 2)

    def test_filters_and_cursors(self):
        client = client_of(self.user)
        names = ["status", "currency", "created_after", "created_before", "cursor", "page_size"]
        values = [value for value in ODD if isinstance(value, str)] + [
            "cD0x", "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "bz05OTk5OTk5OQ==", "cj0x", "cD0xXzA=",
            "====", "2026-01-01", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "2026-13-01",
            "2026-01-01T00:00:00.1234567Z",
        ]  # fmt: skip
        for name in names:
            for value in values:
                if "\ud800" in value:
                    continue  # has no form in a URL
                response = client.get(ORDERS, {name: value})
                self.assertIn(response.status_code, {200, 400}, (name, value, response.content))
