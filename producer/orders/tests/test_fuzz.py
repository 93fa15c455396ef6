"""No body, however odd, is answered with a server error. Random, but the same at each run."""

import copy
import json
import random

from django.test import TestCase

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

BODIES = 80  # for each endpoint

ODD = [
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 10**30, 2**63, -(2**63) - 1, "", " ", "0", "-1",
    "1e400", "1e-400", "NaN", "Infinity", "-0", "1_000", "٣", "\x00", "a\x00b", "\ud800", "\u202e",
    "x" * 256, "x" * 5000, "9" * 5000, "+21658741196", "+216" + "5" * 300, "tel:+21658741196",
    "+21658741196 ext. 5", "TND", "tnd", "cancelled", "pending", "confirmed",
    "00000000-0000-0000-0000-000000000000", [], {}, [[]], [{}], [None], {"": None}, {"a": [1]},
    [{"item_name": "x"}], [{"price": 1}], [{"item_name": "x", "price": 1, "quantity": 1e400}],
    [{"item_name": "x", "price": "-0", "quantity": "1_0"}],
]  # fmt: skip


def mutated(body, chance):
    """The body with one to three of its parts replaced, removed, or joined by others."""
    body = copy.deepcopy(body)
    if chance.random() < 0.1:
        return chance.choice(ODD)
    for _ in range(chance.randint(1, 3)):
        target = body
        if isinstance(body.get("items"), list) and body["items"] and chance.random() < 0.5:
            target = chance.choice(body["items"])
            if not isinstance(target, dict):
                continue
        name = chance.choice([*target, "status", "extra"])
        if chance.random() < 0.15:
            target.pop(name, None)
        else:
            target[name] = copy.deepcopy(chance.choice(ODD))
    return body


class FuzzTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = make_user()
        cls.staff = make_user("staff", is_staff=True)
        cls.order = make_order(cls.user)
        cls.key = make_order_key(cls.order)

    def throw(self, client, method, url, body, allowed):
        chance = random.Random(f"{method} {url.rpartition('/')[2]} {sorted(body)}")
        for _ in range(BODIES):
            sent = mutated(body, chance)
            # Not by the client's own encoder: it knows no lone surrogates.
            text = json.dumps(sent)
            response = getattr(client, method)(url, text, content_type="application/json")
            self.assertIn(response.status_code, allowed, (sent, response.content))

    def test_posting_an_order(self):
        self.throw(client_of(self.user), "post", ORDERS, EXAMPLE, {201, 400})

    def test_replacing_an_order(self):
        self.throw(client_of(self.user), "put", order_url(self.order), EXAMPLE, {200, 400})

    def test_editing_an_order(self):
        allowed = {200, 400, 409}  # it may be cancelled on the way
        self.throw(client_of(self.user), "patch", order_url(self.order), EXAMPLE, allowed)

    def test_the_webhook(self):
        body = {"task_id": TASK, "status": "confirmed", "result": "TNDABC123pending"}
        client = client_with_key(self.key)
        self.throw(client, "post", webhook_url(self.order), body, {200, 400})

    def test_task_results(self):
        body = {"task_id": TASK, "result": "TNDABC123pending", "order": str(self.order.uuid)}
        client = client_of(self.staff)
        client.post(TASK_RESULTS, body)
        self.throw(client, "post", TASK_RESULTS, body, {201, 400})
        self.throw(client, "put", f"{TASK_RESULTS}{TASK}/", body, {200, 400})
        self.throw(client, "patch", f"{TASK_RESULTS}{TASK}/", body, {200, 400})

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
