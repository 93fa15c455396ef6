"""Orders through both services: confirmed exactly once, whatever is missing meanwhile."""

import secrets
from collections import Counter

import requests

from e2e.client import ORDER, Json
from e2e.commands import WEB, WORKERS
from e2e.testing import EVERY_PROCESS, StackTestCase
from e2e.waiting import until

MANY = 200
CONSUMER = ("consumer-web", "consumer-worker", "consumer-webhooks")


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

    def test_orders_are_confirmed_though_each_process_is_killed_while_they_flow(self) -> None:
        orders: list[Json] = []
        for name in EVERY_PROCESS:
            child = self.stack.processes.children[name]
            before = child.restarts
            orders += self.post(10)
            self.stack.processes.kill(name)
            orders += self.post(10)
            until(lambda: child.restarts > before, within=20, what=f"{name} started again")  # noqa: B023
        self.assertEqual(len(orders), 100)
        self.assert_each_confirmed_once(orders)

    def test_every_process_stops_within_ten_seconds_and_orders_go_on_afterwards(self) -> None:
        orders = self.post(50)
        self.assertEqual(self.stack.processes.stop(*EVERY_PROCESS, patience=10), [])
        self.stack.processes.start(*EVERY_PROCESS)
        self.stack.wait_until_ready(*WEB, *WORKERS)
        self.assert_each_confirmed_once(orders)

    def post(self, count: int) -> list[Json]:
        """Post orders, each as often as it takes to get an answer: the key makes them one."""
        return [self.post_until_answered(secrets.token_hex(8)) for _ in range(count)]

    def post_until_answered(self, key: str) -> Json:
        def posted() -> Json | None:
            try:
                return self.producer.post_order(ORDER, idempotency_key=key)
            except requests.ConnectionError:  # the producer itself is being started again
                return None

        order = until(posted, within=30, what="an answer to a posted order")
        assert order is not None
        return order

    def assert_each_confirmed_once(self, orders: list[Json], within: float = 120) -> None:
        """Every order is confirmed by exactly one task, with its result stored on both sides."""
        keys = {order["order_key"]: order["uuid"] for order in orders}
        self.assertEqual(len(keys), len(orders))

        def statuses() -> Counter[str]:
            return Counter(o["status"] for o in self.producer.orders() if o["order_key"] in keys)

        expected = Counter(confirmed=len(orders))
        until(
            lambda: statuses() == expected or None,
            within=within,
            what="every order confirmed",
            every=0.3,
        )

        results = [r for r in self.producer.task_results() if r["order"] in keys.values()]
        self.assertEqual(Counter(r["order"] for r in results), Counter(keys.values()))
        self.assertEqual({r["result"] for r in results}, {f"TND{key}pending" for key in keys})

        def tasks() -> list[Json]:
            return [task for task in self.consumer.tasks() if task["order_key"] in keys]

        until(
            lambda: all(task["delivery"]["state"] == "delivered" for task in tasks()),
            within=60,
            what="every result delivered",
            every=0.3,
        )
        self.assertEqual(Counter(task["order_key"] for task in tasks()), Counter(list(keys)))
        self.assertEqual(
            {(task["task_id"], task["status"], task["result"]) for task in tasks()},
            {(r["task_id"], "SUCCESS", r["result"]) for r in results},
        )
