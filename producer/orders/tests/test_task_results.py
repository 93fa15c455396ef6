"""task-results/: customers read their own, staff and service keys read and write all."""

import uuid

from django.test import TransactionTestCase

from chassis.testing import ProblemAssertions, at_once, deleted_before
from orders.models import Order, TaskResult
from orders.tests.base import (
    TASK_RESULTS,
    OrdersTestCase,
    client_of,
    client_with_key,
    make_order,
    make_service_key,
    make_user,
)


class TaskResultCase(OrdersTestCase):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.of_other = make_order(cls.other)
        cls.mine = TaskResult.objects.create(task_id="mine", result="TND1", order=cls.order)
        cls.theirs = TaskResult.objects.create(task_id="theirs", result="TND2", order=cls.of_other)
        cls.nobodys = TaskResult.objects.create(task_id="nobodys", result="TND3")
        cls.staff = make_user("staff", is_staff=True)
        cls.key = make_service_key()

    def setUp(self):
        super().setUp()
        self.writers = {"staff": client_of(self.staff), "service": client_with_key(self.key)}
        self.writer = self.writers["staff"]

    def ids(self, client, **query):
        return [row["task_id"] for row in client.get(TASK_RESULTS, query).json()["results"]]


class ReadTests(TaskResultCase):
    def test_a_customer_sees_the_results_of_their_own_orders(self):
        self.assertEqual(self.ids(self.client), ["mine"])
        self.assertEqual(self.ids(client_of(self.other)), ["theirs"])

    def test_staff_and_a_service_key_see_all_newest_first(self):
        for who, client in self.writers.items():
            with self.subTest(who):
                self.assertEqual(self.ids(client), ["nobodys", "theirs", "mine"])

    def test_a_result_is_shown_with_its_orders_uuid(self):
        shown = self.client.get(f"{TASK_RESULTS}mine/").json()
        self.assertRegex(shown.pop("created_at"), r"^\d{4}-\d\d-\d\dT.*Z$")
        self.assertEqual(
            shown, {"task_id": "mine", "result": "TND1", "order": str(self.order.uuid)}
        )
        shown = self.writer.get(f"{TASK_RESULTS}nobodys/").json()
        self.assertIsNone(shown["order"])

    def test_others_results_are_answered_like_unknown_ones(self):
        unknown = self.client.get(f"{TASK_RESULTS}unknown/")
        for task_id in ("theirs", "nobodys"):
            response = self.client.get(f"{TASK_RESULTS}{task_id}/")
            self.assertEqual((response.status_code, response.content), (404, unknown.content))

    def test_odd_task_ids_are_unknown_ones(self):
        for task_id in ("%00", "a%00b", "x" * 300, "%ff", "%0a", "🚚", "1"):
            with self.subTest(task_id):
                self.assert_problem(self.writer.get(f"{TASK_RESULTS}{task_id}/"), 404)

    def test_pages_are_as_everywhere(self):
        first = self.writer.get(TASK_RESULTS, {"page_size": 2}).json()
        second = self.writer.get(first["next"]).json()
        pages = [[row["task_id"] for row in page["results"]] for page in (first, second)]
        self.assertEqual(pages, [["nobodys", "theirs"], ["mine"]])
        self.assertEqual(set(first), {"next", "previous", "results"})
        self.assert_invalid(self.writer.get(TASK_RESULTS, {"cursor": "garbage"}), "cursor")
        self.assert_invalid(self.writer.get(TASK_RESULTS, {"page_size": "x"}), "page_size")


class WriteTests(TaskResultCase):
    def test_a_result_is_stored_by_hand_with_or_without_an_order(self):
        for who, client in self.writers.items():
            for order in ({}, {"order": None}, {"order": str(self.order.uuid)}):
                with self.subTest(who, order=order):
                    task_id = f"{who} {order}"
                    body = {"task_id": task_id, "result": "TND", **order}
                    response = client.post(TASK_RESULTS, body)
                    self.assertEqual(response.status_code, 201, response.content)
                    shown = response.json()
                    self.assertEqual(shown["order"], order.get("order"))
                    self.assertEqual(client.get(f"{TASK_RESULTS}{task_id}/").json(), shown)

    def test_writing_moves_no_order(self):
        before = Order.objects.filter(pk=self.order.pk).values().get()
        self.writer.post(
            TASK_RESULTS, {"task_id": "t", "result": "r", "order": self.order.uuid, "status": "x"}
        )
        self.writer.put(f"{TASK_RESULTS}mine/", {"result": "r"})
        self.writer.delete(f"{TASK_RESULTS}mine/")
        self.assertEqual(Order.objects.filter(pk=self.order.pk).values().get(), before)

    def test_a_customer_may_not_write(self):
        for method, url in (
            ("post", TASK_RESULTS), ("put", f"{TASK_RESULTS}mine/"),
            ("patch", f"{TASK_RESULTS}mine/"), ("delete", f"{TASK_RESULTS}mine/"),
            ("delete", f"{TASK_RESULTS}unknown/"),
        ):  # fmt: skip
            with self.subTest(f"{method} {url}"):
                response = getattr(self.client, method)(url, {"task_id": "t", "result": "r"})
                self.assert_problem(response, 403)
        self.assertEqual(TaskResult.objects.count(), 3)

    def test_bad_fields_are_refused(self):
        body = {"task_id": "t", "result": "r"}
        for name, values in {
            "task_id": ("", None, [], "x" * 256, "\x00", "a/b", "mine"),
            "result": (None, [], "x" * 256, "\x00"),
            "order": ("x", 5, [], {}, str(uuid.uuid4()), True, -1),
        }.items():
            for value in values:
                with self.subTest(name, value=value):
                    self.assert_invalid(self.writer.post(TASK_RESULTS, {**body, name: value}), name)
        self.assert_invalid(self.writer.post(TASK_RESULTS, {}), "task_id", "result")

    def test_a_put_replaces_the_result_and_keeps_the_task_id(self):
        response = self.writer.put(f"{TASK_RESULTS}mine/", {"result": "new", "task_id": "other"})
        self.assertEqual(response.status_code, 200)
        self.assertEqual((response.json()["task_id"], response.json()["result"]), ("mine", "new"))
        self.assertEqual(self.writer.get(f"{TASK_RESULTS}mine/").json(), response.json())
        self.assert_invalid(self.writer.put(f"{TASK_RESULTS}mine/", {}), "result")

    def test_a_patch_changes_what_it_names(self):
        url = f"{TASK_RESULTS}nobodys/"
        shown = self.writer.patch(url, {"order": str(self.of_other.uuid)}).json()
        self.assertEqual((shown["result"], shown["order"]), ("TND3", str(self.of_other.uuid)))
        self.assertEqual(self.writer.patch(url, {"order": None}).json()["order"], None)
        self.assertEqual(self.writer.patch(url, {}).json()["result"], "TND3")
        self.assert_invalid(self.writer.patch(url, {"order": "x"}), "order")
        self.assert_invalid(self.writer.patch(url, {"result": "x" * 256}), "result")

    def test_a_delete_answers_204_and_leaves_the_order(self):
        response = self.writer.delete(f"{TASK_RESULTS}mine/")
        self.assertEqual((response.status_code, response.content), (204, b""))
        self.assert_problem(self.writer.delete(f"{TASK_RESULTS}mine/"), 404)
        self.assertTrue(Order.objects.filter(pk=self.order.pk).exists())

    def test_a_result_deleted_since_it_was_looked_up_is_404(self):
        with deleted_before("UPDATE", TaskResult.objects.all()):
            self.assert_problem(self.writer.put(f"{TASK_RESULTS}mine/", {"result": "r"}), 404)


class TaskResultRaceTests(ProblemAssertions, TransactionTestCase):
    def test_one_of_an_order_that_is_deleted_at_this_moment_is_refused(self):
        writer, order = client_with_key(make_service_key()), make_order(make_user())
        body = {"task_id": "t", "result": "r", "order": str(order.uuid)}
        with deleted_before("INSERT", Order.objects.filter(pk=order.pk)):
            self.assert_invalid(writer.post(TASK_RESULTS, body), "order")
        self.assertFalse(TaskResult.objects.exists())

    def test_of_several_posts_of_one_task_at_once_one_is_stored(self):
        key = make_service_key()

        def call(number):
            body = {"task_id": "t", "result": f"r{number}"}
            return client_with_key(key).post(TASK_RESULTS, body).status_code

        statuses = at_once(4, call)
        self.assertEqual(statuses.count(201), 1)
        self.assertEqual(set(statuses), {201, 400})
        self.assertEqual(TaskResult.objects.count(), 1)
