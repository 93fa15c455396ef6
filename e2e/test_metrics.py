"""/metrics of a running stack: the same whichever process answers, and every order in it once."""

import re

import requests

from e2e.environment import ROOT
from e2e.testing import StackTestCase
from e2e.waiting import until

ORDERS = 20


class MetricsTests(StackTestCase):
    def shown_by(self, origin: str) -> str:
        """Asked for on a new connection: any of the service's processes may answer."""
        headers = {"Authorization": f"Bearer {self.stack.secret['metrics_token']}"}
        response = requests.get(f"{origin}/metrics", headers=headers, timeout=10)
        self.assertEqual(response.status_code, 200)
        return response.text

    def figures(self, origin: str) -> dict[str, float]:
        lines = re.findall(r"^([^#\s]+) (\S+)$", self.shown_by(origin), re.MULTILINE)
        return {name: float(value) for name, value in lines}

    def test_every_alert_is_about_a_figure_that_is_shown(self) -> None:
        rules = (ROOT / "docs" / "prometheus" / "alerts.yml").read_text()
        wanted = set(re.findall(r"\b(?:producer|consumer)_\w+", rules))
        both = self.shown_by(self.stack.at.producer) + self.shown_by(self.stack.at.consumer)
        shown = set(re.findall(r"^# TYPE (\w+)", both, re.MULTILINE))
        self.assertGreater(len(wanted), 10)
        self.assertEqual({name.removesuffix("_bucket") for name in wanted} - shown, set())

    def test_every_order_is_counted_once_whichever_process_answers(self) -> None:
        at = self.stack.at
        for origin in (at.producer, at.consumer):
            self.figures(origin)  # what comes from now on is counted
        for uuid in [self.producer.post_order()["uuid"] for _ in range(ORDERS)]:
            self.producer.follow(uuid)
        expected = {
            at.producer: (
                "producer_orders_accepted_total",
                'producer_orders_answered_total{status="confirmed"}',
                "producer_order_duration_seconds_count",
            ),
            at.consumer: (
                "consumer_messages_accepted_total",
                'consumer_webhook_attempts_total{code="200"}',
                "consumer_delivery_duration_seconds_count",
            ),
        }
        for origin, names in expected.items():
            until(
                lambda: [self.figures(origin).get(name) for name in names] == [ORDERS] * 3,  # noqa: B023
                within=30,
                what=f"{ORDERS} in each of {', '.join(names)}",
            )
            self.assertTrue(all(self.figures(origin)[n] == ORDERS for n in names for _ in range(4)))
