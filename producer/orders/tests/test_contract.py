"""The two bodies that cross the services, against the files that both services' tests read."""

import json
import uuid
from pathlib import Path

from django.test import TestCase

from orders import tasks
from orders.tests.base import (
    ConsumerMixin,
    client_with_key,
    make_order,
    make_order_key,
    make_user,
    set_order,
    webhook_url,
)

CONTRACT = Path(__file__).resolve().parents[3] / "e2e" / "contract"


def golden(name):
    return json.loads((CONTRACT / f"{name}.json").read_text())


class ContractTests(ConsumerMixin, TestCase):
    def test_what_is_sent_is_the_agreed_message(self):
        agreed = golden("message")
        order = make_order(make_user())
        snapshot = {**order.message, "message_id": agreed["message_id"], "order_key": "ABC123"}
        set_order(
            order,
            uuid=uuid.UUID(agreed["message_id"]),
            message=snapshot,
            request_id=agreed["request_id"],
        )
        tasks.dispatch_orders()
        (sent,) = self.consumer.messages
        self.assertRegex(sent["webhook_api_key"], r"^[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}$")
        self.assertRegex(agreed["webhook_api_key"], r"^[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}$")
        self.assertEqual({**sent, "webhook_api_key": agreed["webhook_api_key"]}, agreed)

    def test_a_new_order_fills_every_field_of_the_message(self):
        make_order(make_user())
        tasks.dispatch_orders()
        (sent,) = self.consumer.messages
        agreed = golden("message")
        self.assertEqual(
            {name: type(value) for name, value in sent.items()},
            {name: type(value) for name, value in agreed.items()},
        )
        self.assertTrue(all(sent.values()))

    def test_the_agreed_webhook_is_taken(self):
        order = make_order(make_user())
        client = client_with_key(make_order_key(order))
        response = client.post(webhook_url(order), golden("webhook"))
        expected = {"uuid": str(order.uuid), "status": golden("webhook")["status"]}
        self.assertEqual((response.status_code, response.json()), (200, expected))
        self.assertEqual(order.task_results.get().result, golden("webhook")["result"])
