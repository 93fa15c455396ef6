"""Statements that are compiled once (chassis.sql) do what the ORM's do."""

from uuid import UUID, uuid4

from django.db import IntegrityError
from django.test import TestCase, TransactionTestCase

from chassis import insertion, sql
from chassis.keys import hashed
from orders.models import Order, OrderAPIKey, OrderItem
from orders.tests.base import make_order, make_user

BY_UUID = sql.Prepared(lambda uuid: Order.objects.filter(uuid=uuid), uuid=UUID(int=1))


class PreparedTests(TestCase):
    def test_it_finds_what_the_queryset_finds(self):
        user = make_user()
        order, other = make_order(user), make_order(user)
        self.assertEqual(list(BY_UUID(uuid=order.uuid)), [order])
        self.assertEqual(BY_UUID.one(uuid=other.uuid).message, other.message)

    def test_it_finds_nothing_where_there_is_nothing(self):
        self.assertIsNone(BY_UUID.one(uuid=uuid4()))

    def test_it_takes_one_query_each_time(self):
        order = make_order(make_user())
        with self.assertNumQueries(2):
            BY_UUID.one(uuid=order.uuid)
            BY_UUID.one(uuid=order.uuid)

    def test_a_parameter_that_is_not_in_the_sql_is_refused(self):
        lost = sql.Prepared(lambda uuid: Order.objects.all(), uuid=UUID(int=1))
        with self.assertRaisesMessage(ValueError, "uuid"):
            lost.one(uuid=uuid4())


class InsertTests(TestCase):
    def test_each_row_gets_its_own_key_and_the_databases_defaults(self):
        order = make_order(make_user())
        items = [OrderItem(order=order, item_name=f"n{i}", price=i, quantity=1) for i in range(5)]
        with self.assertNumQueries(1):
            insertion.insert(items)
        for item in items:
            self.assertEqual(OrderItem.objects.get(pk=item.pk).item_name, item.item_name)

    def test_what_the_database_fills_in_is_read_as_the_orm_reads_it(self):
        made = make_order(make_user())
        copy = Order(user=made.user, address="a", phone_number="+21658741196", total_paid=1)
        copy.currency, copy.message = "TND", {"a": 1}
        insertion.insert([copy])
        stored = Order.objects.get(pk=copy.pk)
        for name in ("created_at", "updated_at", "due_at", "uuid", "order_key"):
            self.assertEqual(getattr(copy, name), getattr(stored, name), name)

    def test_rows_that_are_there_already_are_left_as_they_are_and_not_counted(self):
        order = make_order(make_user())
        keys = [
            OrderAPIKey(order=order, name=f"n{number}", **hashed(f"{number * 8}.secret"))
            for number in "12"
        ]
        self.assertEqual(insertion.insert_new(keys[:1]), 1)
        keys[0].name = "another"
        self.assertEqual(insertion.insert_new(keys), 1)
        self.assertEqual(sorted(k.name for k in OrderAPIKey.objects.all()), ["n1", "n2"])

    def test_no_rows_take_no_query(self):
        with self.assertNumQueries(0):
            insertion.insert([])
            self.assertEqual(sql.by_keys(Order, []), {})

    def test_rows_are_found_by_their_keys_as_the_orm_finds_them(self):
        user = make_user()
        order, other = make_order(user), make_order(user)
        found = sql.by_keys(Order, [other.pk, order.pk, 0])
        self.assertEqual(found, {order.pk: order, other.pk: other})
        self.assertEqual(found[order.pk].message, order.message)
        self.assertEqual(found[order.pk].created_at, order.created_at)


class FamilyTests(TransactionTestCase):
    """Without the transaction of a test around it, which would undo what it leaves."""

    def order_of(self, user):
        order = Order(user=user, address="a", phone_number="+21658741196", total_paid=1)
        order.currency, order.message = "TND", {}
        return order

    def test_a_family_is_stored_whole_or_not_at_all(self):
        made = make_order(make_user())
        order = self.order_of(made.user)
        items = [OrderItem(item_name="n", price=1, quantity=quantity) for quantity in (1, 0)]
        with self.assertRaises(IntegrityError):
            insertion.insert_family(order, items, "order")
        self.assertEqual(Order.objects.count(), 1)
        insertion.insert_family(order, items[:1], "order")
        self.assertEqual(Order.objects.get(pk=order.pk).items.get().item_name, "n")

    def test_each_number_of_children_is_stored_with_their_parent_again_and_again(self):
        user = make_user()
        most = insertion.MOST_PREPARED
        for count in (1, most, most + 1, 1, most, most + 1):
            order = self.order_of(user)
            items = [OrderItem(item_name="n", price=1, quantity=n + 1) for n in range(count)]
            insertion.insert_family(order, items, "order")
            stored = Order.objects.get(pk=order.pk).items.values_list("quantity", flat=True)
            self.assertEqual(sorted(stored), list(range(1, count + 1)))
