"""How many queries the hot paths take, and which index the claim uses. A TestCase's transaction
adds a savepoint and its release for each transaction of the code's own: two queries.
"""

from django.db import connection
from django.db.models.functions import Now
from django.test import TestCase
from django.test.utils import CaptureQueriesContext

from chassis.outbox import claim
from orders import consumer
from orders.models import Order
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
        # claim, keys, owners, record, attempts
        with self.assertNumQueries(5 + 2 * SAVEPOINT):
            self.assertEqual(consumer.dispatch_batch(), 1)
        for _ in range(49):
            make_order(self.user)
        Order.objects.update(due_at=Now())
        with self.assertNumQueries(6 + 2 * SAVEPOINT):  # and the old key's expiry
            self.assertEqual(consumer.dispatch_batch(), 50)

    def test_a_dispatch_with_nothing_to_do_takes_one(self):
        Order.objects.update(due_at=None)
        with self.assertNumQueries(1 + SAVEPOINT):
            self.assertEqual(consumer.dispatch_batch(), 0)

    def test_a_page_of_orders_takes_as_many_for_25_as_for_one(self):
        for count in (1, 24):
            with self.assertNumQueries(3):  # token, orders with their users, items
                self.client.get(ORDERS)
            for _ in range(count):
                make_order(self.user)

    def test_one_order_takes_three(self):
        with self.assertNumQueries(3):
            self.client.get(order_url(self.order))

    def test_a_page_of_results_takes_two(self):
        client = client_with_key(make_service_key())
        for number in range(5):
            body = {"task_id": f"t{number}", "result": "r", "order": str(self.order.uuid)}
            client.post(TASK_RESULTS, body)
        with self.assertNumQueries(2):
            client.get(TASK_RESULTS)


class ClaimPlanTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        user = make_user()
        Order.objects.bulk_create(
            Order(user=user, address="x", phone_number="+21658741196", total_paid=1,
                  currency="TND", message={}, status="confirmed" if number % 50 else "pending")
            for number in range(3000)
        )  # fmt: skip

    def test_the_claim_finds_due_orders_by_their_index(self):
        with CaptureQueriesContext(connection) as queries:
            self.assertEqual(len(claim(consumer.DUE, 10)), 10)
        explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("ANALYZE orders_order")
            cursor.execute(f"{explain} {queries[0]['sql']}")
            plan = "\n".join(str(line) for line in cursor.fetchall())
        self.assertIn("order_due", plan)
        self.assertNotIn("Seq Scan", plan)
