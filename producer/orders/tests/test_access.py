"""Every endpoint of the producer × every kind of credentials: one table, a status a cell."""

from contextlib import contextmanager

from django.db import transaction
from django.test import TestCase

from chassis.testing import ProblemAssertions
from orders.models import TaskResult
from orders.tests.base import (
    EXAMPLE,
    JsonClient,
    client_of,
    client_with,
    client_with_key,
    make_order,
    make_order_key,
    make_service_key,
    make_user,
    yesterday,
)

# The columns. A key is an OrderAPIKey where nothing else is said.
#   none, badT, badK: no credentials, a token and a key that nobody has
#   own, oth, stf, end: tokens of the order's owner, of another customer, of staff, of one closed
#   svc, sRev, sExp: a service key, and one that is revoked, expired
#   key, kOth, kRev, kExp: the order's own key, another order's, a revoked one, an expired one
TABLE = """
#                   none badT badK  own  oth  stf  end  svc sRev sExp  key kOth kRev kExp
POST   users/create  400  400  400  400  400  400  400  400  400  400  400  400  400  400
PUT    users/create  401  401  401  400  400  400  401  401  401  401  401  401  401  401
PATCH  users/create  401  401  401  200  200  200  401  401  401  401  401  401  401  401
DELETE users/create  401  401  401  204  204  204  401  401  401  401  401  401  401  401
POST   users/token   400  400  400  400  400  400  400  400  400  400  400  400  400  400
PUT    users/token   401  401  401  200  200  200  401  401  401  401  401  401  401  401
PATCH  users/token   401  401  401  200  200  200  401  401  401  401  401  401  401  401
DELETE users/token   401  401  401  204  204  204  401  401  401  401  401  401  401  401
GET    users/me      401  401  401  200  200  200  401  401  401  401  401  401  401  401
GET    ORDERS        401  401  401  200  200  200  401  401  401  401  401  401  401  401
POST   ORDERS        401  401  401  201  201  201  401  401  401  401  401  401  401  401
GET    ORDER         401  401  401  200  404  200  401  401  401  401  401  401  401  401
PUT    ORDER         401  401  401  200  404  200  401  401  401  401  401  401  401  401
PATCH  ORDER         401  401  401  200  404  200  401  401  401  401  401  401  401  401
DELETE ORDER         401  401  401  204  404  204  401  401  401  401  401  401  401  401
GET    TIMELINE      401  401  401  200  404  200  401  401  401  401  401  401  401  401
POST   WEBHOOK       401  401  401  401  401  401  401  200  401  401  200  403  401  401
GET    RESULTS       401  401  401  200  200  200  401  200  401  401  403  403  401  401
POST   RESULTS       401  401  401  403  403  201  401  201  401  401  403  403  401  401
GET    RESULT        401  401  401  200  404  200  401  200  401  401  403  403  401  401
PUT    RESULT        401  401  401  403  403  200  401  200  401  401  403  403  401  401
PATCH  RESULT        401  401  401  403  403  200  401  200  401  401  403  403  401  401
DELETE RESULT        401  401  401  403  403  204  401  204  401  401  403  403  401  401
"""
PATHS = {
    "ORDERS": "data/orders/",
    "ORDER": "data/orders/{uuid}/",
    "TIMELINE": "data/orders/{uuid}/timeline/",
    "WEBHOOK": "data/orders/{uuid}/status/update",
    "RESULTS": "data/task-results/",
    "RESULT": "data/task-results/t0/",
}
BODIES = {
    "POST ORDERS": EXAMPLE,
    "PUT ORDER": EXAMPLE,
    "PATCH ORDER": {"address": "elsewhere"},
    "POST WEBHOOK": {"task_id": "t1", "status": "confirmed", "result": "TND"},
    "POST RESULTS": {"task_id": "t2", "result": "TND"},
    "PUT RESULT": {"result": "TND"},
    "PATCH RESULT": {"result": "TND"},
}


def rows():
    head, *lines = TABLE.strip().splitlines()
    for line in lines:
        method, path, *statuses = line.split()
        yield method, path, dict(zip(head.split()[1:], map(int, statuses), strict=True))


@contextmanager
def undone():
    """What happens within is taken back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class AccessTests(ProblemAssertions, TestCase):
    @classmethod
    def setUpTestData(cls):
        owner, other = make_user(), make_user("ines")
        staff, ended = make_user("staff", is_staff=True), make_user("ended")
        cls.order, of_other = make_order(owner), make_order(other)
        TaskResult.objects.create(task_id="t0", result="TND", order=cls.order)
        cls.clients = {
            "none": JsonClient(),
            "badT": client_with(f"Token {'0' * 40}"),
            "badK": client_with_key("00000000.00000000000000000000000000000000"),
            "own": client_of(owner),
            "oth": client_of(other),
            "stf": client_of(staff),
            "end": client_of(ended),
            "svc": client_with_key(make_service_key()),
            "sRev": client_with_key(make_service_key(revoked=True)),
            "sExp": client_with_key(make_service_key(**yesterday())),
            "key": client_with_key(make_order_key(cls.order)),
            "kOth": client_with_key(make_order_key(of_other)),
            "kRev": client_with_key(make_order_key(cls.order, revoked=True)),
            "kExp": client_with_key(make_order_key(cls.order, **yesterday())),
        }
        ended.is_active = False
        ended.save()

    def url(self, path):
        return "/api/v1/" + PATHS.get(path, path).format(uuid=self.order.uuid)

    def test_every_endpoint_answers_every_kind_of_credentials_as_agreed(self):
        for method, path, statuses in rows():
            for who, expected in statuses.items():
                with self.subTest(f"{method} {path}", who=who), undone():
                    call = getattr(self.clients[who], method.lower())
                    response = call(self.url(path), BODIES.get(f"{method} {path}", {}))
                    self.check(response, expected)

    def check(self, response, expected):
        if expected >= 400:
            self.assert_problem(response, expected)
        self.assertEqual(response.status_code, expected, response.content)
        self.assertEqual("WWW-Authenticate" in response.headers, expected == 401)

    def test_the_last_slash_may_be_missing_or_added_everywhere(self):
        for method, path, statuses in rows():
            url = self.url(path)
            turned = url[:-1] if url.endswith("/") else f"{url}/"
            for who in ("none", "own", "svc"):
                with self.subTest(f"{method} {turned}", who=who), undone():
                    call = getattr(self.clients[who], method.lower())
                    response = call(turned, BODIES.get(f"{method} {path}", {}))
                    self.check(response, statuses[who])

    def test_every_other_method_is_405_and_says_which_there_are(self):
        methods: dict[str, set[str]] = {}
        for method, path, _ in rows():
            methods.setdefault(path, set()).add(method)
        for path, allowed in methods.items():
            who = "key" if path == "WEBHOOK" else "stf"
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed:
                with self.subTest(f"{method} {path}"), undone():
                    response = getattr(self.clients[who], method.lower())(self.url(path), {})
                    self.assert_problem(response, 405)
                    told = set(response.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"}
                    self.assertEqual(told, allowed)

    def test_options_tells_the_methods(self):
        for path in {path for _, path, _ in rows()}:
            who = "key" if path == "WEBHOOK" else "stf"
            with self.subTest(path):
                response = self.clients[who].options(self.url(path))
                self.assertEqual((response.status_code, response.json()), (200, {}))
                self.assertIn("OPTIONS", response.headers["Allow"])

    def test_credentials_in_another_form_are_none(self):
        for authorization in ("Basic YTpi", "Bearer x", "Token", "Api-Key", "Token a b", "x", ""):
            for path in ("ORDERS", "RESULTS", "users/me"):
                with self.subTest(authorization, path=path):
                    self.assert_problem(client_with(authorization).get(self.url(path)), 401)

    def test_odd_keys_are_unknown_ones(self):
        for key in ("", ".", "x", "a.b.c", "é.é", "x" * 5000, "00000000.", ".0", "a\x00b.c"):
            with self.subTest(key):
                client = client_with_key(key)
                self.assert_problem(client.get(self.url("RESULTS")), 401)
                body = BODIES["POST WEBHOOK"]
                self.assert_problem(client.post(self.url("WEBHOOK"), body), 401)

    def test_the_schemes_names_are_taken_in_any_case(self):
        key = make_service_key()
        client = client_with(f"api-key {key}")
        self.assertEqual(client.get(self.url("RESULTS")).status_code, 200)
