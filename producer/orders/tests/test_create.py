"""POST orders/: what is taken, what is refused, and what is stored."""

from unittest.mock import patch

from orders.models import Order, OrderItem
from orders.tests.base import EXAMPLE, ORDERS, JsonClient, OrdersTestCase, client_of, make_user

ITEM = EXAMPLE["items"][0]


class CreateTests(OrdersTestCase):
    def post(self, **changes):
        return self.client.post(ORDERS, {**EXAMPLE, **changes})

    def without(self, name):
        return self.client.post(ORDERS, {k: v for k, v in EXAMPLE.items() if k != name})

    def test_the_specifications_example_is_accepted(self):
        response = self.client.post(ORDERS, EXAMPLE)
        self.assertEqual(response.status_code, 201)
        shown = response.json()
        order = Order.objects.get(uuid=shown["uuid"])
        for name in ("created_at", "updated_at"):
            self.assertRegex(shown.pop(name), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        expected = {
            "uuid": str(order.uuid),
            "order_key": order.order_key,
            "status": "pending",
            "user": "amel",
            "address": "Ariana Nkhilet",
            "phone_number": "+21658741196",
            "total_paid": "50.000",
            "currency": "TND",
            "items": [
                {"item_name": "item1", "price": "20.000", "quantity": 1},
                {"item_name": "item2", "price": "30.000", "quantity": 1},
            ],
            "task_id": None,
        }
        self.assertEqual(shown, expected)

    def test_the_requests_id_is_answered_and_kept(self):
        response = self.client.post(ORDERS, EXAMPLE, headers={"X-Request-ID": "order-42"})
        self.assertEqual(response.headers["X-Request-ID"], "order-42")
        self.assertEqual(Order.objects.get(uuid=response.json()["uuid"]).request_id, "order-42")

    def test_the_answer_is_what_a_get_shows(self):
        posted = self.client.post(ORDERS, EXAMPLE)
        self.assertEqual(self.client.get(posted.headers["Location"]).json(), posted.json())

    def test_the_location_is_the_orders_whatever_the_path_ended_in(self):
        for path in (ORDERS, ORDERS.rstrip("/")):
            with self.subTest(path):
                response = self.client.post(path, EXAMPLE)
                expected = f"http://testserver{ORDERS}{response.json()['uuid']}/"
                self.assertEqual(response.headers["Location"], expected)

    def test_order_keys_are_unique_and_made_by_the_producer(self):
        keys = {self.post(order_key="MINE").json()["order_key"] for _ in range(3)}
        self.assertEqual(len(keys), 3)
        self.assertNotIn("MINE", keys)
        self.assertTrue(all(0 < len(key) <= 100 for key in keys))

    def test_read_only_and_unknown_fields_are_ignored(self):
        response = self.post(
            uuid="00000000-0000-0000-0000-000000000000", user="ines", status="cancelled",
            task_id="t", created_at="2001-01-01T00:00:00Z", colour="red",
        )  # fmt: skip
        shown = response.json()
        self.assertEqual(response.status_code, 201)
        self.assertEqual(
            (shown["status"], shown["user"], shown["task_id"]), ("pending", "amel", None)
        )
        self.assertNotIn("colour", shown)
        self.assertNotEqual(shown["uuid"], "00000000-0000-0000-0000-000000000000")
        self.assertFalse(shown["created_at"].startswith("2001"))

    def test_the_message_is_a_snapshot_of_the_order(self):
        order = Order.objects.get(uuid=self.client.post(ORDERS, EXAMPLE).json()["uuid"])
        expected = {
            "message_id": str(order.uuid),
            "address": "Ariana Nkhilet",
            "phone_number": "+21658741196",
            "order_key": order.order_key,
            "status": "pending",
            "currency": "TND",
        }
        self.assertEqual(order.message, expected)

    def test_a_new_order_is_due_at_once(self):
        order = Order.objects.get(uuid=self.client.post(ORDERS, EXAMPLE).json()["uuid"])
        self.assertIn(order, Order.objects.due())
        self.assertEqual((order.claims, order.attempts), (0, 0))

    def test_amounts_are_numbers_or_strings_and_come_out_as_strings(self):
        for given, shown in (
            (50, "50.000"), (0, "0.000"), (49.5, "49.500"), ("0.001", "0.001"), ("-0", "0.000"),
            ("999999999.999", "999999999.999"), ("1e3", "1000.000"),
        ):  # fmt: skip
            with self.subTest(given):
                response = self.post(total_paid=given, items=[{**ITEM, "price": given}])
                self.assertEqual(response.status_code, 201, response.content)
                body = response.json()
                self.assertEqual((body["total_paid"], body["items"][0]["price"]), (shown, shown))
                again = self.client.get(response.headers["Location"]).json()
                self.assertEqual(again["total_paid"], shown)

    def test_amounts_that_are_none_are_refused(self):
        for bad in (
            -1, "-0.001", "0.0001", "1000000000", 1e12, 10**40, "1e400", "1e-400", "NaN", "", "x",
            None, True, [], {}, "9" * 2000,
        ):  # fmt: skip
            with self.subTest(bad):
                response = self.post(total_paid=bad, items=[{**ITEM, "price": bad}])
                self.assert_invalid(response, "total_paid", "items.0.price")

    def test_the_total_is_not_compared_with_the_items(self):
        self.assertEqual(self.post(total_paid="51.5").status_code, 201)

    def test_every_field_is_required(self):
        for name in EXAMPLE:
            with self.subTest(name):
                self.assert_invalid(self.without(name), name)
        self.assert_invalid(self.client.post(ORDERS, {}), *EXAMPLE)

    def test_a_currency_is_an_upper_case_iso_4217_code(self):
        for good in ("TND", "EUR", "KWD"):
            self.assertEqual(self.post(currency=good).status_code, 201)
        for bad in ("tnd", "XYZ", "EURO", "", None, 978, "TND\x00", ["TND"]):
            with self.subTest(bad):
                self.assert_invalid(self.post(currency=bad), "currency")

    def test_a_phone_number_is_a_real_one(self):
        self.assertEqual(self.post(phone_number="+216 58 741 196").json()["phone_number"],
                         "+21658741196")  # fmt: skip
        for bad in (
            "555-1234",
            "58741196",
            "+2165",
            "+999123456789",
            "phone",
            "",
            None,
            5,
            "+" * 9999,
        ):
            with self.subTest(bad):
                self.assert_invalid(self.post(phone_number=bad), "phone_number")

    def test_an_address_has_1_to_255_characters(self):
        for good in ("x", "ش" * 255):
            self.assertEqual(self.post(address=good).json()["address"], good)
        for bad in ("", "  ", "x" * 256, None, {}, [], True, "a\x00b"):
            with self.subTest(bad):
                self.assert_invalid(self.post(address=bad), "address")

    def test_there_are_1_to_100_items(self):
        self.assertEqual(len(self.post(items=[ITEM] * 100).json()["items"]), 100)
        for bad in ([], [ITEM] * 101, None, {}, "item", 1):
            with self.subTest(type(bad)):
                self.assert_invalid(self.post(items=bad), "items")
        self.assert_invalid(self.post(items=[ITEM, "item"]), "items.1")

    def test_an_item_has_a_name_of_1_to_100_characters(self):
        self.assertEqual(self.post(items=[{**ITEM, "item_name": "x" * 100}]).status_code, 201)
        for bad in ("", "x" * 101, None, [], "\x00"):
            with self.subTest(bad):
                response = self.post(items=[{**ITEM, "item_name": bad}])
                self.assert_invalid(response, "items.0.item_name")

    def test_a_quantity_is_1_to_a_million(self):
        for good in (1, 1_000_000, "3"):
            response = self.post(items=[{**ITEM, "quantity": good}])
            self.assertEqual(response.json()["items"][0]["quantity"], int(good))
        for bad in (0, -1, 1_000_001, 1.5, True, "x", None, 10**30, [], "9" * 2000):
            with self.subTest(bad):
                response = self.post(items=[{**ITEM, "quantity": bad}])
                self.assert_invalid(response, "items.0.quantity")

    def test_errors_name_the_item_and_its_field(self):
        items = [ITEM, {"item_name": "", "price": -1}, {**ITEM, "quantity": 0}]
        expected = ["items.1.item_name", "items.1.price", "items.1.quantity", "items.2.quantity"]
        self.assert_invalid(self.post(items=items), *expected)

    def test_a_refused_order_leaves_nothing_behind(self):
        before = (Order.objects.count(), OrderItem.objects.count())
        self.post(items=[ITEM, {**ITEM, "quantity": 0}])
        self.assertEqual((Order.objects.count(), OrderItem.objects.count()), before)

    def test_a_body_that_is_no_object_is_refused(self):
        for body in ("[]", "null", '"order"', "5", "[{}, {}]"):
            with self.subTest(body):
                response = self.client.post(ORDERS, body, content_type="application/json")
                self.assert_problem(response, 400)

    def test_no_credentials_are_401_before_the_body_is_looked_at(self):
        self.assert_problem(JsonClient().post(ORDERS, {}), 401)


class WithoutTheOthersTests(OrdersTestCase):
    """201 at once, whatever the state of the consumer or the broker."""

    def test_creating_an_order_makes_no_outbound_call(self):
        with (
            patch("chassis.http.post", side_effect=AssertionError) as post,
            patch("chassis.http.get", side_effect=AssertionError) as get,
            self.captureOnCommitCallbacks(execute=True),
        ):
            response = self.client.post(ORDERS, EXAMPLE)
        self.assertEqual(response.status_code, 201)
        self.assertFalse(post.called or get.called)

    def test_an_order_is_accepted_with_the_broker_down(self):
        client = client_of(make_user("without-broker"))
        with (
            patch("chassis.bell.send", side_effect=OSError("no broker")) as ring,
            patch("chassis.bell._muted_until", 0.0),
            patch("orders.services.dispatch_bell._quiet_until", 0.0),
            self.assertLogs("chassis.bell", "WARNING"),
            self.captureOnCommitCallbacks(execute=True),
        ):
            responses = [client.post(ORDERS, EXAMPLE) for _ in range(3)]
        self.assertEqual([response.status_code for response in responses], [201] * 3)
        self.assertEqual(ring.call_count, 1)  # one wait for all of them, not one each
