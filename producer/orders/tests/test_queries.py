"""How many queries the hot paths take, and which index the claim uses. A TestCase's transaction
adds a savepoint and its release for each transaction of the code's own: two queries.
"""

from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chassis.outbox import claim
from chassis.pruning import delete_some
from orders import dispatch, pruning
from orders.models import Order, OrderAPIKey, SendAttempt
from orders.tests.base import (
    EXAMPLE,
    ORDERS,
    TASK_RESULTS,
    ConsumerMixin,
    client_of,
    client_with_key,
    make_order,
    make_order_key,
    make_service_key,
    make_user,
    order_url,
    webhook_url,
)

SAVEPOINT = 2
POSTGRESQL = connection.vendor == "postgresql"


class QueryCountTests(ConsumerMixin, TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = make_user()
        cls.order = make_order(cls.user)

    def setUp(self):
        super().setUp()
        self.client = client_of(self.user)

    def test_posting_an_order_takes_two(self):
        with self.assertNumQueries(2 if POSTGRESQL else 3 + SAVEPOINT):  # token, order with items
            self.client.post(ORDERS, EXAMPLE)

    def test_posting_with_an_idempotency_key_takes_one_more(self):
        with self.assertNumQueries(3 if POSTGRESQL else 4 + SAVEPOINT):
            self.client.post(ORDERS, EXAMPLE, headers={"Idempotency-Key": "k"})

    def test_the_webhook_takes_two(self):
        client = client_with_key(make_order_key(self.order))
        body = {"task_id": "t", "status": "confirmed", "result": "TND"}
        # The key with its order, the result with its order; where that doesn't move, its status.
        with self.assertNumQueries(2 if POSTGRESQL else 3 + SAVEPOINT):
            client.post(webhook_url(self.order), body)
        with self.assertNumQueries(3 if POSTGRESQL else 4 + SAVEPOINT):
            client.post(webhook_url(self.order), body)

    def test_a_dispatch_takes_as_many_for_50_orders_as_for_one(self):
        # claim, keys; record with attempts
        record = 1 if POSTGRESQL else 2 + SAVEPOINT
        with self.assertNumQueries(2 + SAVEPOINT + record):
            self.assertEqual(dispatch.dispatch_batch(), 1)
        for _ in range(49):
            make_order(self.user)
        Order.objects.update(due_at=Now())
        # and the old key's expiry, and whose keys they are
        with self.assertNumQueries(4 + SAVEPOINT + record):
            self.assertEqual(dispatch.dispatch_batch(), 50)

    def test_a_dispatch_with_nothing_to_do_takes_one(self):
        Order.objects.update(due_at=None)
        with self.assertNumQueries(1 + SAVEPOINT):
            self.assertEqual(dispatch.dispatch_batch(), 0)

    def test_a_page_of_orders_takes_as_many_for_25_as_for_one(self):
        for count in (1, 24):
            with self.assertNumQueries(3):  # token, orders with their users, items
                self.client.get(ORDERS)
            for _ in range(count):
                make_order(self.user)

    def test_one_order_takes_three(self):
        with self.assertNumQueries(3):
            self.client.get(order_url(self.order))

    def test_a_span_of_time_takes_no_more(self):
        with self.assertNumQueries(3):
            self.client.get(ORDERS, {"created_before": "2999-01-01T00:00:00Z"})

    def test_a_timeline_takes_five_and_asks_the_consumer_once(self):
        # Token, order, items, attempts, results; an order that was not sent asks nobody.
        with self.assertNumQueries(5):
            self.client.get(order_url(self.order, "timeline/"))

    def test_an_edit_takes_six_and_its_items_two_more(self):
        # Token, order with items (2), the change, order with items as it is now (2).
        with self.assertNumQueries(6 + SAVEPOINT):
            self.client.patch(order_url(self.order), {"address": "Sousse"})
        with self.assertNumQueries(8 + SAVEPOINT):  # the old items away, the new ones
            self.client.put(order_url(self.order), EXAMPLE)

    def test_a_deletion_takes_as_many_for_100_items_as_for_one(self):
        for items in (1, 100):
            order = make_order(self.user, items=EXAMPLE["items"][:1] * items)
            # Token, order with items (2), the lock, the order and all that hangs on it (5).
            with self.subTest(items), self.assertNumQueries(9 + SAVEPOINT):
                self.client.delete(order_url(order))


class ResultQueryTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.order = make_order(make_user())

    def setUp(self):
        self.client = client_with_key(make_service_key())
        for number in range(5):
            self.client.post(TASK_RESULTS, self.body(f"t{number}"))

    def body(self, task_id):
        return {"task_id": task_id, "result": "r", "order": str(self.order.uuid)}

    def test_a_page_takes_two(self):
        with self.assertNumQueries(2):
            self.client.get(TASK_RESULTS)

    def test_one_takes_two(self):
        with self.assertNumQueries(2):
            self.client.get(f"{TASK_RESULTS}t1/")

    def test_a_new_one_takes_four(self):
        # Key, order, whether it is known, the row.
        with self.assertNumQueries(4 + SAVEPOINT):
            self.client.post(TASK_RESULTS, self.body("new"))

    def test_a_change_takes_four(self):
        for method in (self.client.put, self.client.patch):
            with self.assertNumQueries(4):  # key, row, order, the change
                method(f"{TASK_RESULTS}t1/", self.body("t1"))

    def test_a_deletion_takes_three(self):
        with self.assertNumQueries(3):
            self.client.delete(f"{TASK_RESULTS}t1/")


class PlanTests(TestCase):
    """The plans of what the workers ask again and again, on rows of which few are of interest."""

    ROWS = 3000

    @classmethod
    def setUpTestData(cls):
        user = make_user()
        orders = Order.objects.bulk_create(
            Order(user=user, address="x", phone_number="+21658741196", total_paid=1,
                  currency="TND", message={}, status="confirmed" if number % 50 else "pending")
            for number in range(cls.ROWS)
        )  # fmt: skip
        OrderAPIKey.objects.bulk_create(
            OrderAPIKey(id=f"k{number}", prefix=f"k{number}", hashed_key="x", name="webhook",
                        order=order, expiry_date=timezone.now() + timedelta(number % 100 - 0.5))
            for number, order in enumerate(orders)
        )  # fmt: skip

    def plan_of(self, act):
        """Of the first query that it makes."""
        with CaptureQueriesContext(connection) as queries:
            act()
        with connection.cursor() as cursor:
            if POSTGRESQL:
                cursor.execute("ANALYZE orders_order, orders_orderapikey, orders_sendattempt")
            explain = "EXPLAIN" if POSTGRESQL else "EXPLAIN QUERY PLAN"
            cursor.execute(f"{explain} {queries[0]['sql']}")
            return "\n".join(str(line) for line in cursor.fetchall())

    def test_the_claim_finds_due_orders_by_their_index(self):
        plan = self.plan_of(lambda: self.assertEqual(len(claim(dispatch.DUE, 10)), 10))
        self.assertIn("order_due", plan)
        self.assertNotIn("Seq Scan", plan)

    def test_pruning_finds_expired_keys_by_their_index(self):
        expired = pruning.prunable()["expired order keys"]
        plan = self.plan_of(lambda: self.assertEqual(delete_some(expired, 1000), 30))
        self.assertIn("order_key_expiry", plan)
        self.assertNotIn("Seq Scan", plan)

    def test_pruning_finds_old_attempts_by_their_index(self):
        order, now = Order.objects.earliest("pk"), timezone.now()
        SendAttempt.objects.bulk_create(
            SendAttempt(order=order, at=now - timedelta(number % 100 - 68.5), ms=1)
            for number in range(self.ROWS)
        )
        old = pruning.prunable()["attempts"]
        plan = self.plan_of(lambda: self.assertEqual(delete_some(old, 1000), 30))
        self.assertIn("send_attempt_at", plan)
        self.assertNotIn("Seq Scan", plan)
