"""Orders through both services: confirmed exactly once, whatever is missing meanwhile."""

import secrets
from datetime import datetime, timedelta

import requests

from e2e.client import ORDER, Json
from e2e.testing import EVERY_PROCESS, StackTestCase
from e2e.waiting import until

MANY = 200
CONSUMER = ("consumer-web", "consumer-worker", "consumer-webhooks")
# A killed process refuses a connection, or leaves its answer without an end.
UNANSWERED = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


class PipelineTests(StackTestCase):
    def test_an_order_goes_from_post_to_confirmed(self) -> None:
        posted = self.producer.post_order(ORDER)
        self.assertEqual(posted["status"], "pending")

        order = self.producer.follow(posted["uuid"])
        self.assertEqual(order["status"], "confirmed")
        self.assert_each_confirmed_once([posted])

        timeline = self.producer.timeline(posted["uuid"])
        self.assertEqual((timeline["status"], timeline["consumer"]), ("confirmed", "ok"))
        self.assertEqual(timeline["task_id"], order["task_id"])
        steps = {event["event"] for event in timeline["events"]}
        self.assertLessEqual({"accepted", "sent", "task", "processed", "delivered"}, steps)

    def test_one_search_of_the_logs_shows_an_orders_whole_way(self) -> None:
        request_id = secrets.token_hex(16)
        posted = self.producer.post_order(ORDER, request_id=request_id)
        self.producer.follow(posted["uuid"])
        for name in EVERY_PROCESS:
            log = self.stack.processes.children[name].log
            until(
                lambda: request_id in log.read_text(),  # noqa: B023
                within=10,
                what=f"a line about the order in {log}",
            )

    def test_orders_posted_without_the_consumer_are_confirmed_once_it_runs(self) -> None:
        with self.stopped(*CONSUMER):
            orders = self.post(MANY)
        self.assert_each_confirmed_once(orders)

    def test_orders_posted_without_the_broker_are_confirmed_once_it_runs(self) -> None:
        with self.no_broker():
            orders = self.post(MANY)
        self.assert_each_confirmed_once(orders)

    def test_orders_whose_messages_are_deleted_from_the_broker_are_confirmed(self) -> None:
        with self.stopped("consumer-worker"):
            orders = self.post(MANY)
            until(lambda: self.stack.messages() >= MANY, within=30, what="messages in the broker")
            self.assertGreaterEqual(self.stack.purge(), MANY)
        self.assert_each_confirmed_once(orders)

    def test_orders_flow_on_though_each_process_is_killed_and_then_all_are_stopped(self) -> None:
        orders: list[Json] = []
        for name in EVERY_PROCESS:
            child = self.stack.processes.children[name]
            before = child.restarts
            orders += self.post(10)
            self.stack.processes.kill(name)
            orders += self.post(10)
            until(lambda: child.restarts > before, within=20, what=f"{name} started again")  # noqa: B023
        orders += self.post(50)
        # Each has 10 seconds to end by itself.
        self.assertEqual(self.stack.processes.stop(*EVERY_PROCESS, patience=10), [])
        self.stack.processes.start(*EVERY_PROCESS)
        self.stack.wait_until_ready(*EVERY_PROCESS)
        self.assert_each_confirmed_once(orders)

    def post(self, count: int) -> list[Json]:
        """Post orders, each as often as it takes to get an answer: the key makes them one."""
        return [self.post_until_answered(secrets.token_hex(8)) for _ in range(count)]

    def post_until_answered(self, key: str) -> Json:
        def posted() -> Json | None:
            try:
                return self.producer.post_order(ORDER, idempotency_key=key)
            except UNANSWERED:
                return None

        return until(posted, within=30, what="an answer to a posted order")

    def assert_each_confirmed_once(self, posted: list[Json]) -> None:
        """Every order is confirmed by exactly one task, whose result both services have stored."""
        uuids = {order["uuid"] for order in posted}
        since = {"created_after": a_second_before(posted[0]["created_at"])}
        until(
            lambda: not self.producer.orders(status="pending", **since),
            within=120,
            what="every order settled",
            every=0.5,
        )
        orders = [order for order in self.producer.orders(**since) if order["uuid"] in uuids]
        self.assertEqual([order["status"] for order in orders], ["confirmed"] * len(uuids))
        keys = {order["uuid"]: order["order_key"] for order in orders}

        results = [row for row in self.producer.task_results() if row["order"] in keys]
        stored = sorted((keys[row["order"]], row["task_id"], row["result"]) for row in results)
        self.assertEqual(
            [(key, result) for key, _, result in stored],
            [(key, f"TND{key}pending") for key in sorted(keys.values())],
        )
        until(
            lambda: self.undelivered(**since) == [],
            within=60,
            what="every result delivered",
            every=0.5,
        )
        tasks = [t for t in self.consumer.tasks(**since) if t["order_key"] in keys.values()]
        self.assertEqual(sorted((t["order_key"], t["task_id"], t["result"]) for t in tasks), stored)

    def undelivered(self, **since: str) -> list[Json]:
        tasks = self.consumer.tasks(**since)
        return [task["delivery"] for task in tasks if task["delivery"]["state"] != "delivered"]


def a_second_before(time: str) -> str:
    return (datetime.fromisoformat(time) - timedelta(seconds=1)).isoformat()
