"""Idempotency-Key on POST orders/."""

from django.db import connection
from django.test import TransactionTestCase

from chassis.testing import ProblemAssertions, at_once
from orders.models import Order
from orders.tests.base import (
    EXAMPLE,
    ORDERS,
    OrdersTestCase,
    client_of,
    confirm,
    make_user,
    order_url,
)


def post(client, key, body=EXAMPLE):
    return client.post(ORDERS, body, headers={"Idempotency-Key": key})


class IdempotencyKeyTests(OrdersTestCase):
    def test_the_same_json_again_gives_201_and_the_same_order(self):
        first, again = post(self.client, "k1"), post(self.client, "k1")
        self.assertEqual((first.status_code, again.status_code), (201, 201))
        self.assertEqual(first.json(), again.json())
        self.assertEqual(first.headers["Location"], again.headers["Location"])
        self.assertEqual(Order.objects.filter(idempotency_key="k1").count(), 1)

    def test_the_order_of_the_names_in_the_json_does_not_matter(self):
        first = post(self.client, "k1")
        again = post(self.client, "k1", dict(reversed(EXAMPLE.items())))
        self.assertEqual(first.json()["uuid"], again.json()["uuid"])

    def test_the_order_is_answered_as_it_is_now(self):
        order = Order.objects.get(uuid=post(self.client, "k1").json()["uuid"])
        self.client.patch(order_url(order), {"address": "elsewhere", "items": EXAMPLE["items"][:1]})
        confirm(order)
        again = post(self.client, "k1")
        self.assertEqual(again.status_code, 201)
        self.assertEqual(again.json(), self.client.get(order_url(order)).json())
        self.assertEqual(
            (again.json()["status"], again.json()["address"]), ("confirmed", "elsewhere")
        )

    def test_another_body_under_the_same_key_is_422(self):
        post(self.client, "k1")
        for change in ({"address": "elsewhere"}, {"extra": 1}, {"total_paid": "50"}):
            with self.subTest(change):
                self.assert_problem(post(self.client, "k1", {**EXAMPLE, **change}), 422)
        self.assertEqual(Order.objects.filter(idempotency_key="k1").count(), 1)

    def test_a_refused_body_uses_up_no_key(self):
        self.assert_problem(post(self.client, "k1", {**EXAMPLE, "items": []}), 400)
        self.assertEqual(post(self.client, "k1").status_code, 201)

    def test_keys_are_each_users_own(self):
        mine = post(self.client, "k1").json()
        theirs = post(client_of(self.other), "k1", {**EXAMPLE, "address": "elsewhere"})
        self.assertEqual(theirs.status_code, 201)
        self.assertNotEqual(mine["uuid"], theirs.json()["uuid"])

    def test_a_key_is_free_again_once_its_order_is_deleted(self):
        first = post(self.client, "k1")
        self.assertEqual(self.client.delete(first.headers["Location"]).status_code, 204)
        again = post(self.client, "k1", {**EXAMPLE, "address": "elsewhere"})
        self.assertEqual(again.status_code, 201)
        self.assertNotEqual(first.json()["uuid"], again.json()["uuid"])

    def test_without_a_key_every_post_is_a_new_order(self):
        uuids = {self.client.post(ORDERS, EXAMPLE).json()["uuid"] for _ in range(3)}
        self.assertEqual(len(uuids), 3)

    def test_a_key_has_1_to_255_printable_characters(self):
        for good in ("x", "~" * 255, "two words"):
            with self.subTest(good):
                self.assertEqual(post(self.client, good).status_code, 201)
        for bad in ("", "x" * 256, "a\tb", "a\x7f", "clé", "a\x00"):
            with self.subTest(bad):
                self.assert_invalid(post(self.client, bad), "Idempotency-Key")


class OtherRequestTests(ProblemAssertions, TransactionTestCase):
    """Another request with the same key makes its order just after this one looked for it."""

    def setUp(self):
        self.user = make_user()

    def post_beside(self, other):
        """What a post is answered, and the answer to the other one."""
        made = []

        def place_the_other(execute, sql, *args):
            found = execute(sql, *args)
            if sql.startswith("SELECT") and '"idempotency_key" = ' in sql and not made:
                made.append(None)  # what follows is this one's
                made[0] = post(client_of(self.user), "k1", other).json()
            return found

        with connection.execute_wrapper(place_the_other):
            response = post(client_of(self.user), "k1")
        return response, made[0]

    def test_its_order_is_answered(self):
        response, made = self.post_beside(EXAMPLE)
        self.assertEqual((response.status_code, response.json()), (201, made))

    def test_another_body_is_422(self):
        response, _ = self.post_beside({**EXAMPLE, "address": "elsewhere"})
        self.assert_problem(response, 422)
        self.assertEqual(Order.objects.filter(idempotency_key="k1").count(), 1)


class IdempotencyRaceTests(TransactionTestCase):
    def test_of_several_posts_at_once_one_makes_the_order_and_all_answer_it(self):
        client_of(user := make_user())
        clients = [client_of(user) for _ in range(4)]
        answers = at_once(4, lambda number: post(clients[number], "k1"))
        self.assertEqual([answer.status_code for answer in answers], [201] * 4)
        self.assertEqual(len({answer.json()["uuid"] for answer in answers}), 1)
        self.assertEqual(Order.objects.count(), 1)

    def test_of_several_bodies_at_once_one_makes_the_order_and_the_others_are_422(self):
        clients = [client_of(user) for user in [make_user()] * 4]

        def call(number):
            body = {**EXAMPLE, "address": f"street {number}"}
            return post(clients[number], "k1", body).status_code

        self.assertEqual(sorted(at_once(4, call)), [201, 422, 422, 422])
        self.assertEqual(Order.objects.count(), 1)
