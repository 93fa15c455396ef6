"""The webhook's signature, against what the standardwebhooks package signs."""

import json
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from django.test import override_settings
from standardwebhooks import Webhook

from orders.models import Order
from orders.tests.base import TASK, OrdersTestCase, client_with_key, make_order_key, webhook_url

OLD, NEW, STRANGER = (
    f"whsec_{text}" for text in ("b2xkIHNlY3JldA==", "bmV3IHNlY3JldA==", "c3RyYW5nZQ==")
)
BODY = json.dumps({"task_id": TASK, "status": "confirmed", "result": "TND é"}, ensure_ascii=False)


@override_settings(WEBHOOK_SIGNING_SECRETS=[NEW, OLD], WEBHOOK_SIGNATURE_REQUIRED=False)
class SignatureTests(OrdersTestCase):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.key = make_order_key(cls.order)

    def send(self, body=BODY, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        client = client_with_key(self.key)
        url = webhook_url(self.order)
        return client.post(url, body, content_type="application/json", headers=headers)

    def signed(self, *secrets, body=BODY, at=None, message_id="msg_1"):
        at = at or datetime.now(UTC)
        signatures = [Webhook(secret).sign(message_id, at, body) for secret in secrets or (NEW,)]
        return {
            "webhook_id": message_id,
            "webhook_timestamp": str(int(at.timestamp())),
            "webhook_signature": " ".join(signatures),
        }

    def assert_taken(self, response):
        self.assertEqual(response.status_code, 200, response.content)

    def assert_refused(self, response):
        self.assert_problem(response, 401)
        self.assertEqual(response.headers["WWW-Authenticate"], "Api-Key")
        self.assertEqual(Order.objects.get(pk=self.order.pk).status, "pending")

    def test_a_valid_signature_is_taken(self):
        self.assert_taken(self.send(**self.signed()))

    def test_each_secret_in_use_is_taken_so_that_one_can_be_replaced_without_a_gap(self):
        self.assert_taken(self.send(**self.signed(OLD)))
        self.assert_taken(self.send(**self.signed(NEW)))
        self.assert_taken(self.send(**self.signed(STRANGER, OLD)))

    def test_a_secret_that_is_no_longer_in_use_is_refused(self):
        with override_settings(WEBHOOK_SIGNING_SECRETS=[NEW]):
            self.assert_refused(self.send(**self.signed(OLD)))

    def test_a_strangers_signature_is_refused(self):
        self.assert_refused(self.send(**self.signed(STRANGER)))

    def test_a_signature_of_another_body_id_or_time_is_refused(self):
        headers = self.signed()
        self.assert_refused(self.send(body=BODY.replace("confirmed", "cancelled"), **headers))
        self.assert_refused(self.send(body=f"{BODY} ", **headers))
        self.assert_refused(self.send(**headers | {"webhook_id": "msg_2"}))
        later = str(int(headers["webhook_timestamp"]) + 1)
        self.assert_refused(self.send(**headers | {"webhook_timestamp": later}))

    def test_a_signature_within_5_minutes_is_taken(self):
        for seconds in (-290, 290):
            with self.subTest(seconds):
                at = datetime.now(UTC) + timedelta(seconds=seconds)
                self.assert_taken(self.send(**self.signed(at=at)))

    def test_an_older_or_a_future_one_is_refused(self):
        for seconds in (-310, 310, -86400, 10**9):
            with self.subTest(seconds):
                at = datetime.now(UTC) + timedelta(seconds=seconds)
                self.assert_refused(self.send(**self.signed(at=at)))

    def test_the_time_is_the_databases_not_the_processs(self):
        # A process whose clock was set back would take, by its own clock, what is long over.
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        headers, now = self.signed(at=hour_ago), self.signed()
        with patch("time.time", return_value=hour_ago.timestamp()):
            self.assert_refused(self.send(**headers))
            self.assert_taken(self.send(**now))

    def test_malformed_headers_are_refused(self):
        good = self.signed()
        for name, values in {
            "webhook_id": ("",),
            "webhook_timestamp": (
                "", "x", "-1", "1.5", "1e9", "9" * 30, "٣", "99999999999", "0", " ", "+1", "0x1",
            ),
            "webhook_signature": (
                "", "v1", "v1,", ",", "v1,!!!", "v1,AAAA", "v2," + good["webhook_signature"][3:],
                "x" * 5000, "é", good["webhook_signature"][3:], good["webhook_signature"] + "x",
            ),
        }.items():  # fmt: skip
            for value in values:
                with self.subTest(name, value=value):
                    self.assert_refused(self.send(**good | {name: value}))

    def test_part_of_the_headers_is_refused(self):
        for missing in self.signed():
            with self.subTest(missing):
                headers = {k: v for k, v in self.signed().items() if k != missing}
                self.assert_refused(self.send(**headers))

    def test_one_right_signature_among_others_is_enough(self):
        headers = self.signed()
        several = f"v1a,AAAA {headers['webhook_signature']} v1,AAAA nonsense"
        self.assert_taken(self.send(**headers | {"webhook_signature": several}))

    def test_a_signed_body_that_is_no_text_is_refused(self):
        self.assert_refused(self.send(body=b"\xff\xfe", **self.signed()))

    def test_without_a_signature_it_is_taken_unless_one_is_required(self):
        with override_settings(WEBHOOK_SIGNATURE_REQUIRED=True):
            self.assert_refused(self.send())
            self.assert_taken(self.send(**self.signed()))
        self.assert_taken(self.send())
