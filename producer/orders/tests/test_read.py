"""GET orders/ and orders/<uuid>/: pages, filters and whose orders are shown."""

import uuid
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.test import TestCase

from chassis.testing import ProblemAssertions
from orders.models import Order
from orders.tests.base import (
    ORDERS,
    OrdersTestCase,
    cancel,
    client_of,
    confirm,
    make_order,
    make_user,
    order_url,
    set_order,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def cursor_at(position):
    return b64encode(urlencode({"p": position}).encode()).decode()


class ListTests(ProblemAssertions, TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = make_user()
        cls.orders = [make_order(cls.user) for _ in range(7)]
        cls.of_another = make_order(make_user("ines"))

    def setUp(self):
        self.client = client_of(self.user)

    def uuids(self, **query):
        response = self.client.get(ORDERS, query)
        self.assertEqual(response.status_code, 200, response.content)
        return [order["uuid"] for order in response.json()["results"]]

    def expected(self, *indexes):
        return [str(self.orders[index].uuid) for index in indexes]

    def test_a_page_has_the_users_own_orders_newest_first_and_no_count(self):
        body = self.client.get(ORDERS).json()
        self.assertEqual(set(body), {"next", "previous", "results"})
        self.assertEqual(self.uuids(), self.expected(6, 5, 4, 3, 2, 1, 0))
        self.assertEqual((body["next"], body["previous"]), (None, None))

    def test_staff_see_the_orders_of_all(self):
        self.client = client_of(make_user("staff", is_staff=True))
        self.assertIn(str(self.of_another.uuid), self.uuids())
        self.assertEqual(len(self.uuids()), 8)

    def test_pages_are_followed_by_their_links_there_and_back(self):
        url, seen, pages = f"{ORDERS}?page_size=3", [], []
        while url:
            body = self.client.get(url).json()
            pages.append([order["uuid"] for order in body["results"]])
            last, url = body, body["next"]
        self.assertEqual(pages, [self.expected(6, 5, 4), self.expected(3, 2, 1), self.expected(0)])
        back = self.client.get(last["previous"]).json()
        self.assertEqual([order["uuid"] for order in back["results"]], pages[1])
        self.assertEqual(seen, [])

    def test_an_order_that_comes_meanwhile_moves_no_page(self):
        first = self.client.get(ORDERS, {"page_size": 3}).json()
        make_order(self.user)
        second = self.client.get(first["next"]).json()
        self.assertEqual([order["uuid"] for order in second["results"]], self.expected(3, 2, 1))

    def test_page_size_is_1_to_100(self):
        self.assertEqual(len(self.uuids(page_size="1")), 1)
        self.assertEqual(len(self.uuids(page_size="100")), 7)
        self.assertEqual(len(self.uuids(page_size="1000000")), 7)
        self.assertEqual(len(self.uuids(page_size="")), 7)
        for bad in ("0", "-1", "x", "1.5", "٣", "1e3", " 1"):
            with self.subTest(bad):
                self.assert_invalid(self.client.get(ORDERS, {"page_size": bad}), "page_size")

    def test_a_page_never_has_more_than_100(self):
        Order.objects.bulk_create(
            Order(user=self.user, address="x", phone_number="+21658741196", total_paid=1,
                  currency="TND", message={})
            for _ in range(100)
        )  # fmt: skip
        self.assertEqual(len(self.uuids(page_size="101")), 100)
        self.assertEqual(len(self.uuids()), 25)

    def test_a_bad_cursor_is_refused(self):
        for bad in ("garbage", "====", "cD14", "cD1hYmM=", "YWJj", "\x00", "cD0xLjU=", "é"):
            with self.subTest(bad):
                self.assert_invalid(self.client.get(ORDERS, {"cursor": bad}), "cursor")

    def test_a_cursor_beyond_every_id_is_no_error(self):
        # p=99999999999999999999999999
        self.assertEqual(len(self.uuids(cursor="cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ==")), 7)

    def test_orders_are_filtered_by_status(self):
        confirm(self.orders[1]), cancel(self.orders[2])
        self.assertEqual(self.uuids(status="confirmed"), self.expected(1))
        self.assertEqual(self.uuids(status="cancelled"), self.expected(2))
        self.assertEqual(self.uuids(status="pending"), self.expected(6, 5, 4, 3, 0))

    def test_orders_are_filtered_by_currency(self):
        set_order(self.orders[3], currency="EUR")
        self.assertEqual(self.uuids(currency="EUR"), self.expected(3))
        self.assertEqual(self.uuids(currency="USD"), [])

    def test_orders_are_filtered_by_when_they_were_made(self):
        for hours, order in enumerate(self.orders):
            set_order(order, created_at=NOON + timedelta(hours=hours))
        at = [(NOON + timedelta(hours=hours)).isoformat() for hours in range(7)]
        self.assertEqual(self.uuids(created_after=at[5]), self.expected(6, 5))
        self.assertEqual(self.uuids(created_before=at[2]), self.expected(1, 0))
        self.assertEqual(self.uuids(created_after=at[2], created_before=at[4]), self.expected(3, 2))
        self.assertEqual(self.uuids(created_after="2026-03-01T19:00:00+01:00"), self.expected(6))
        self.assertEqual(self.uuids(created_before="2026-03-01T13:00:00Z"), self.expected(0))

    def test_a_span_of_time_has_pages_too(self):
        for hours, order in enumerate(self.orders):
            set_order(order, created_at=NOON + timedelta(hours=hours // 2))  # some at one time
        span = {"created_before": (NOON + timedelta(hours=3)).isoformat(), "page_size": 2}
        pages, url, query = [], ORDERS, span
        while url:
            page = self.client.get(url, query).json()
            pages.append([order["uuid"] for order in page["results"]])
            url, query = page["next"], {}
        self.assertEqual(pages, [self.expected(5, 4), self.expected(3, 2), self.expected(1, 0)])

    def test_a_cursor_of_another_kind_of_list_is_refused(self):
        for position in (
            "7",
            "x",
            "2026-03-01",
            "2026-03-01T12:00:00",
            "0001-01-01T00:00:00+14:00",
        ):
            query = {"created_after": NOON.isoformat(), "cursor": cursor_at(position)}
            with self.subTest(position):
                self.assert_invalid(self.client.get(ORDERS, query), "cursor")
        by_id = {"cursor": cursor_at("2026-03-01T12:00:00+00:00")}
        self.assert_invalid(self.client.get(ORDERS, by_id), "cursor")

    def test_filters_are_kept_by_the_pages_links(self):
        confirm(self.orders[0]), confirm(self.orders[4])
        first = self.client.get(ORDERS, {"page_size": 1, "status": "confirmed"}).json()
        second = self.client.get(first["next"]).json()
        self.assertEqual([order["uuid"] for order in second["results"]], self.expected(0))

    def test_a_bad_filter_is_refused_by_its_name(self):
        for name, values in {
            "status": ("done", "Pending", "\x00"),
            "currency": ("tnd", "EURO", "XYZ", "\x00"),
            "created_after": ("yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59"),
            "created_before": ("1", "2026-01-01T25:00:00Z", "9999-12-31T23:59:59-23:59"),
        }.items():
            for value in values:
                with self.subTest(name, value=value):
                    self.assert_invalid(self.client.get(ORDERS, {name: value}), name)

    def test_an_empty_filter_and_an_unknown_one_change_nothing(self):
        self.assertEqual(len(self.uuids(status="", created_after="", colour="red")), 7)


class RetrieveTests(OrdersTestCase):
    def test_an_order_is_shown_with_its_items_in_order(self):
        body = self.client.get(order_url(self.order)).json()
        self.assertEqual(body["uuid"], str(self.order.uuid))
        self.assertEqual([item["item_name"] for item in body["items"]], ["item1", "item2"])

    def test_the_task_is_shown_once_it_is_known(self):
        set_order(self.order, task_id="7d0ff7ad")
        self.assertEqual(self.client.get(order_url(self.order)).json()["task_id"], "7d0ff7ad")

    def test_an_unknown_order_is_404(self):
        self.assert_problem(self.client.get(f"{ORDERS}{uuid.uuid4()}/"), 404)

    def test_another_users_order_is_answered_like_an_unknown_one(self):
        unknown = self.client.get(f"{ORDERS}{uuid.uuid4()}/")
        of_another = client_of(self.other).get(order_url(self.order))
        self.assertEqual((of_another.status_code, of_another.content), (404, unknown.content))

    def test_what_is_no_uuid_is_404(self):
        for text in ("1", "None", "c151efba", str(self.order.uuid)[:-1], "%00"):
            with self.subTest(text):
                self.assert_problem(self.client.get(f"{ORDERS}{text}/"), 404)

    def test_staff_see_any_order(self):
        client = client_of(make_user("staff", is_staff=True))
        self.assertEqual(client.get(order_url(self.order)).json()["user"], "amel")
