"""PUT, PATCH and DELETE of an order: while it is pending, and afterwards."""

import json
import uuid

from django.test import TransactionTestCase

from chassis.testing import at_once
from orders import services
from orders.models import Order, OrderAPIKey, OrderItem, OrderStatus, SendAttempt, TaskResult
from orders.tests.base import (
    EXAMPLE,
    ORDERS,
    OrdersTestCase,
    cancel,
    client_of,
    confirm,
    make_order,
    make_order_key,
    make_user,
    order_url,
)

NEW = {
    "address": "Rue de Marseille 1",
    "phone_number": "+21671000000",
    "total_paid": "12.5",
    "items": [{"item_name": "tea", "price": "12.500", "quantity": 2}],
}


class EditCase(OrdersTestCase):
    def put(self, **changes):
        return self.client.put(order_url(self.order), {**NEW, **changes})

    def patch(self, **body):
        return self.client.patch(order_url(self.order), body)

    def as_it_is(self):
        """All that is stored of the order, with its items."""
        order = Order.objects.filter(pk=self.order.pk).values().get()
        return order, list(OrderItem.objects.filter(order=self.order).order_by("pk").values())


class PutTests(EditCase):
    def test_a_put_replaces_what_may_be_edited(self):
        response = self.put()
        self.assertEqual(response.status_code, 200)
        shown = response.json()
        self.assertEqual({name: shown[name] for name in NEW}, {**NEW, "total_paid": "12.500"})
        self.assertEqual(self.client.get(order_url(self.order)).json(), shown)

    def test_a_put_needs_every_field_but_the_currency(self):
        for name in NEW:
            with self.subTest(name):
                body = {key: value for key, value in NEW.items() if key != name}
                self.assert_invalid(self.client.put(order_url(self.order), body), name)

    def test_the_same_currency_is_taken_and_another_is_refused(self):
        self.assertEqual(self.put(currency="TND").status_code, 200)
        before = self.as_it_is()
        for bad in ("EUR", "tnd", "XYZ", None, ""):
            with self.subTest(bad):
                self.assert_invalid(self.put(currency=bad, address="elsewhere"), "currency")
        self.assertEqual(self.as_it_is(), before)

    def test_a_status_in_a_put_is_ignored(self):
        for status in ("cancelled", "confirmed", "nonsense", None):
            with self.subTest(status):
                self.assertEqual(self.put(status=status).json()["status"], "pending")

    def test_read_only_and_unknown_fields_are_ignored(self):
        shown = self.put(uuid=str(uuid.uuid4()), order_key="MINE", user="ines", colour="red").json()
        self.assertEqual(shown["uuid"], str(self.order.uuid))
        self.assertEqual((shown["order_key"], shown["user"]), (self.order.order_key, "amel"))

    def test_an_edit_is_told_by_updated_at_and_leaves_the_message_as_it_was(self):
        self.put()
        order = Order.objects.get(pk=self.order.pk)
        self.assertGreater(order.updated_at, self.order.updated_at)
        self.assertEqual(order.created_at, self.order.created_at)
        self.assertEqual(order.message, self.order.message)
        self.assertEqual(order.message["address"], EXAMPLE["address"])

    def test_a_bad_put_changes_nothing(self):
        before = self.as_it_is()
        self.assert_invalid(
            self.put(total_paid=-1, items=[{"item_name": "tea", "price": 1, "quantity": 0}]),
            "total_paid", "items.0.quantity",
        )  # fmt: skip
        self.assertEqual(self.as_it_is(), before)

    def test_staff_edit_any_order(self):
        self.client = client_of(make_user("staff", is_staff=True))
        self.assertEqual(self.put().json()["user"], "amel")


class PatchTests(EditCase):
    def test_a_patch_changes_what_it_names_and_nothing_else(self):
        before = self.client.get(order_url(self.order)).json()
        for name in ("address", "phone_number"):
            after = self.patch(**{name: NEW[name]}).json()
            before[name], before["updated_at"] = NEW[name], after["updated_at"]
            self.assertEqual(after, before)

    def test_items_are_replaced_when_given(self):
        self.assertEqual(self.patch(items=NEW["items"]).json()["items"], NEW["items"])
        self.assertEqual(OrderItem.objects.filter(order=self.order).count(), 1)

    def test_an_item_comes_whole_or_not_at_all(self):
        for part, missing in (
            ({"item_name": "tea"}, ("price", "quantity")),
            ({"price": 1, "quantity": 1}, ("item_name",)),
            ({}, ("item_name", "price", "quantity")),
        ):
            with self.subTest(part):
                response = self.patch(items=[NEW["items"][0], part])
                self.assert_invalid(response, *(f"items.1.{name}" for name in missing))

    def test_bad_values_are_refused(self):
        for name, value in {
            "address": "", "phone_number": "555-1234", "total_paid": "0.0001", "items": [],
            "currency": "EUR", "status": "confirmed",
        }.items():  # fmt: skip
            with self.subTest(name):
                self.assert_invalid(self.patch(**{name: value}), name)
        for name in (*NEW, "currency", "status"):
            with self.subTest(name, value=None):
                self.assert_invalid(self.patch(**{name: None}), name)

    def test_an_empty_patch_is_taken(self):
        self.assertEqual(self.patch().status_code, 200)

    def test_cancelled_is_the_one_status_a_customer_may_write(self):
        for bad in ("confirmed", "pending", "Cancelled", "", 1, ["cancelled"]):
            with self.subTest(bad):
                self.assert_invalid(self.patch(status=bad), "status")
        self.assertEqual(self.patch(status="cancelled").json()["status"], "cancelled")

    def test_a_cancelled_order_is_not_sent_any_more(self):
        self.assertIn(self.order, Order.objects.due())
        self.patch(status="cancelled")
        self.assertNotIn(self.order, Order.objects.due())

    def test_an_order_is_cancelled_and_edited_in_one_patch(self):
        shown = self.patch(status="cancelled", address="nowhere").json()
        self.assertEqual((shown["status"], shown["address"]), ("cancelled", "nowhere"))


class AfterwardsTests(EditCase):
    def test_an_order_that_is_no_longer_pending_can_not_be_edited(self):
        for settle in (confirm, cancel):
            settle(self.order)
            before = self.as_it_is()
            with self.subTest(settle.__name__):
                for response in (
                    self.put(), self.patch(address="elsewhere"), self.patch(), self.put(items=[]),
                    self.patch(status="cancelled"), self.patch(status="pending"),
                ):  # fmt: skip
                    self.assert_problem(response, 409)
                self.assertEqual(self.as_it_is(), before)

    def test_an_edit_that_comes_a_moment_too_late_is_a_conflict(self):
        # The order was read as pending, and confirmed before it was written.
        Order.objects.filter(pk=self.order.pk).update(status=OrderStatus.CONFIRMED)
        self.assertEqual(self.order.status, "pending")
        with self.assertRaises(services.NotPending):
            services.edit_order(order=self.order, data={"items": [], "status": "cancelled"})
        order, items = self.as_it_is()
        self.assertEqual((order["status"], len(items)), ("confirmed", 2))


class EditRaceTests(TransactionTestCase):
    def test_of_several_puts_at_once_one_stands_as_a_whole(self):
        user = make_user()
        order = make_order(user)
        clients = [client_of(user) for _ in range(4)]

        def call(number):
            items = [{"item_name": f"tea {number}", "price": 1, "quantity": number + 1}] * 3
            body = {**NEW, "address": f"street {number}", "items": items}
            return clients[number].put(order_url(order), body).status_code

        self.assertEqual(at_once(4, call), [200] * 4)
        order.refresh_from_db()
        number = order.address.removeprefix("street ")
        names = list(order.items.values_list("item_name", flat=True))
        self.assertEqual(names, [f"tea {number}"] * 3)


class DeleteTests(EditCase):
    def hang_everything_on_it(self):
        make_order_key(self.order)
        SendAttempt.objects.create(order=self.order, at=self.order.created_at, ms=1, status=202)
        TaskResult.objects.create(task_id="t", result="r", order=self.order)

    def test_a_pending_or_cancelled_order_goes_with_all_that_hangs_on_it(self):
        for settle in (None, cancel):
            self.order = self.order if settle is None else cancel(services.place_order(
                user=self.user, data=json.loads(json.dumps(EXAMPLE)))[0])  # fmt: skip
            self.hang_everything_on_it()
            with self.subTest(settle):
                response = self.client.delete(order_url(self.order))
                self.assertEqual((response.status_code, response.content), (204, b""))
                for model in (Order, OrderItem, OrderAPIKey, SendAttempt, TaskResult):
                    self.assertEqual(model.objects.count(), 0, model)
                self.assert_problem(self.client.get(order_url(self.order)), 404)

    def test_a_confirmed_order_stays(self):
        confirm(self.order)
        self.hang_everything_on_it()
        before = self.as_it_is()
        self.assert_problem(self.client.delete(order_url(self.order)), 409)
        self.assertEqual(self.as_it_is(), before)
        self.assertEqual(TaskResult.objects.count(), 1)

    def test_an_order_that_is_gone_already_is_no_error_for_who_deletes_it(self):
        Order.objects.filter(pk=self.order.pk).delete()
        services.delete_order(order=self.order)

    def test_what_is_not_there_is_404(self):
        for method in ("put", "patch", "delete"):
            with self.subTest(method):
                response = getattr(self.client, method)(f"{ORDERS}{uuid.uuid4()}/", NEW)
                self.assert_problem(response, 404)
