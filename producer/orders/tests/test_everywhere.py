"""What the contract says under "Everywhere", on the endpoints of orders."""

import json
import uuid

from django.db import InterfaceError, OperationalError, connection
from django.test import override_settings

from orders.models import Order, TaskResult
from orders.tests.base import (
    EXAMPLE,
    ORDERS,
    TASK_RESULTS,
    JsonClient,
    OrdersTestCase,
    client_of,
    client_with_key,
    make_order_key,
    make_service_key,
    make_user,
    order_url,
    webhook_url,
)

MIB = 2**20
NO_JSON = (
    *(b"{", b'{"a":}', b"nonsense", b"'", b"\xff", b"[1,]", b"NaN", b'{"a": Infinity}'),
    *(b'{"a": 1e999}', b"\xef\xbb\xbf{}", b'{"a": %s}' % (b"9" * 5000), b'{"a": 01}'),
)
NOWHERE = (
    *("/api/", "/api/v1/", "/api/v1/data/", "/api/v1/data/nothing", "/api/v2/data/orders/"),
    *(f"{ORDERS}x/y/z", f"{ORDERS}{uuid.uuid4()}/status/", f"{ORDERS}%2e%2e/%00"),
)
RESULT = {"task_id": "t", "status": "confirmed", "result": "TND"}


class EverywhereCase(OrdersTestCase):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.staff = make_user("staff", is_staff=True)
        cls.key = make_order_key(cls.order)

    def setUp(self):
        super().setUp()
        TaskResult.objects.create(task_id="t0", result="r")
        staff = client_of(self.staff)
        # Every endpoint that takes a body, and a body that it takes.
        self.takers = (
            (staff.post, ORDERS, EXAMPLE),
            (staff.put, order_url(self.order), EXAMPLE),
            (staff.patch, order_url(self.order), {"address": "elsewhere"}),
            (client_with_key(self.key).post, webhook_url(self.order), RESULT),
            (staff.post, TASK_RESULTS, {"task_id": "t1", "result": "r"}),
            (staff.put, f"{TASK_RESULTS}t0/", {"result": "r"}),
            (staff.patch, f"{TASK_RESULTS}t0/", {"result": "r"}),
        )

    def each(self, check):
        for call, url, body in self.takers:
            with self.subTest(f"{call.__name__} {url}"):
                check(call, url, body)


class BodyTests(EverywhereCase):
    def test_a_body_of_1_mib_is_read_and_one_byte_more_is_413(self):
        def check(call, url, body):
            text = json.dumps(body)
            padded = text + " " * (MIB - len(text))
            self.assert_problem(call(url, padded + " ", content_type="application/json"), 413)
            response = call(url, padded, content_type="application/json")
            self.assertLess(response.status_code, 300, response.content)

        self.each(check)

    def test_what_is_no_json_is_400(self):
        def check(call, url, body):
            for text in NO_JSON:
                response = call(url, text, content_type="application/json")
                self.assert_problem(response, 400)

        self.each(check)

    def test_json_deeper_than_32_is_400(self):
        def check(call, url, body):
            for depth in (32, 33, 50_000):
                nested = "[" * (depth - 1) + "]" * (depth - 1)
                text = json.dumps({**body, "extra": "x"}).replace('"x"', nested)
                response = call(url, text, content_type="application/json")
                if depth > 32:
                    self.assertIn("nested", self.assert_problem(response, 400)["detail"])
                else:
                    self.assertLess(response.status_code, 300, response.content)

        self.each(check)

    def test_another_content_type_is_415(self):
        def check(call, url, body):
            for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded",
                         "multipart/form-data; boundary=x", "application/jsonx"):  # fmt: skip
                self.assert_problem(call(url, json.dumps(body), content_type=kind), 415)

        self.each(check)

    def test_unknown_fields_are_ignored(self):
        def check(call, url, body):
            response = call(url, {**body, "extra": {"a": [1]}, "": None})
            self.assertLess(response.status_code, 300, response.content)

        self.each(check)

    def test_text_with_a_nul_or_half_a_surrogate_pair_is_400(self):
        def check(call, url, body):
            for bad in ("a\x00b", "a\ud800b", "\udfff"):
                name = next(n for n, value in body.items() if n != "status" and type(value) is str)
                text = json.dumps({**body, name: bad})
                self.assert_problem(call(url, text, content_type="application/json"), 400)
            if url == ORDERS:
                item = {**EXAMPLE["items"][0], "item_name": "\x00"}
                self.assert_invalid(call(url, {**body, "items": [item]}), "items.0.item_name")

        self.each(check)

    def test_every_script_and_emoji_is_text(self):
        address = "شارع ١ 🚚 é 中文 \u202e\u200d"
        response = self.client.post(ORDERS, {**EXAMPLE, "address": address})
        self.assertEqual(response.json()["address"], address)
        self.assertEqual(self.client.get(response.headers["Location"]).json()["address"], address)

    def test_a_null_a_list_or_a_text_for_an_object_is_400(self):
        def check(call, url, body):
            for text in ("null", "[]", "[{}]", '"text"', "1", "true"):
                self.assert_problem(call(url, text, content_type="application/json"), 400)

        self.each(check)

    def test_a_null_is_no_data_of_no_field(self):
        expected = [{"field": "", "message": "No data provided", "code": "null"}]

        def check(call, url, body):
            answered = self.assert_problem(call(url, "null", content_type="application/json"), 400)
            self.assertEqual(answered["errors"], expected)

        self.each(check)


class AnswerTests(EverywhereCase):
    def test_an_unknown_path_is_a_problem(self):
        for path in NOWHERE:
            for debug in (False, True):
                with self.subTest(path, debug=debug), override_settings(DEBUG=debug):
                    self.assert_problem(self.client.get(path), 404)

    def test_errors_are_problems_with_debug_on_too(self):
        with override_settings(DEBUG=True):
            self.assert_problem(JsonClient().get(ORDERS), 401)
            self.assert_problem(self.client.get(f"{ORDERS}{uuid.uuid4()}/"), 404)
            self.assert_invalid(self.client.post(ORDERS, {}), *EXAMPLE)

    def test_an_answer_in_another_format_than_json_is_406(self):
        self.assert_problem(self.client.get(ORDERS, headers={"Accept": "text/html"}), 406)

    def test_an_unknown_parameter_changes_nothing(self):
        for query in ("format=xml", "colour=red", "limit=1&offset=5", "ordering=user"):
            with self.subTest(query):
                response = self.client.get(f"{ORDERS}?{query}")
                self.assertEqual(len(response.json()["results"]), 1)

    def test_an_error_of_the_server_is_a_problem_without_a_trace(self):
        def fail(execute, sql, *args):
            raise RuntimeError("secret detail")

        self.client.raise_request_exception = False
        for debug in (False, True):
            with (
                self.subTest(debug=debug),
                override_settings(DEBUG=debug),
                connection.execute_wrapper(fail),
                self.assertLogs("django.request", "ERROR"),
            ):
                response = self.client.get(ORDERS)
                self.assert_problem(response, 500)
                self.assertNotIn(b"secret", response.content)
                self.assertNotIn(b"Traceback", response.content)

    def test_without_the_database_it_is_503_and_says_when_to_try_again(self):
        for error in (OperationalError("away"), InterfaceError("closed")):

            def fail(execute, sql, *args, error=error):
                raise error

            calls = [
                (self.client, "get", ORDERS, {}),
                (self.client, "post", ORDERS, EXAMPLE),
                (client_with_key(self.key), "post", webhook_url(self.order), RESULT),
                (client_with_key("a.b"), "get", TASK_RESULTS, {}),
            ]
            for client, method, url, body in calls:
                client.raise_request_exception = False
                with (
                    connection.execute_wrapper(fail),
                    self.assertLogs("chassis.problems", "WARNING"),
                    self.assertLogs("django.request", "ERROR"),
                ):
                    response = getattr(client, method)(url, body)
                self.assert_problem(response, 503)
                self.assertGreater(int(response.headers["Retry-After"]), 0)

    def test_a_host_name_that_is_not_allowed_is_400_and_nothing_is_done(self):
        before = Order.objects.count()
        for host in ("evil.example", "a b", "localhost.evil.example"):
            with self.subTest(host):
                response = self.client.post(ORDERS, EXAMPLE, headers={"Host": host})
                self.assert_problem(response, 400)
        self.assertEqual(Order.objects.count(), before)

    def test_every_answer_carries_the_requests_id(self):
        given = self.client.get(ORDERS, headers={"X-Request-ID": "abc-1.2_3"})
        self.assertEqual(given.headers["X-Request-ID"], "abc-1.2_3")
        for odd in ("", "a b", "x" * 65, "a\tb", "é"):
            made = self.client.get(ORDERS, headers={"X-Request-ID": odd})
            self.assertRegex(made.headers["X-Request-ID"], r"^[0-9a-f]{32}$")

    def test_times_are_utc_with_a_z(self):
        stamp = r'"(created_at|updated_at)":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z"'
        self.assertRegex(self.client.get(order_url(self.order)).content.decode(), stamp)
        service = client_with_key(make_service_key())
        self.assertRegex(service.get(TASK_RESULTS).content.decode(), stamp)
        self.assertIn(
            '"at":"', self.client.get(order_url(self.order, "timeline/")).content.decode()
        )

    def test_a_head_has_the_headers_of_a_get_and_no_body(self):
        response = self.client.head(ORDERS)
        self.assertEqual((response.status_code, response.content), (200, b""))

    def test_orders_and_webhooks_are_not_throttled(self):
        statuses = {self.client.get(ORDERS).status_code for _ in range(120)}
        self.assertEqual(statuses, {200})
