"""Errors as problems, whoever raised them."""

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError, InterfaceError, InternalError, OperationalError
from django.http import Http404, HttpResponse, HttpResponseNotFound
from django.test import SimpleTestCase, override_settings
from django.urls import path
from django.views.decorators.http import require_safe
from rest_framework import exceptions, serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from chassis.problems import Conflict, KeyReused, problem
from chassis.testing import ProblemAssertions


class Raising(APIView):
    """Raises what the test says."""

    permission_classes = []
    error: Exception

    def get(self, request):
        raise self.error


class Listed(APIView):
    permission_classes = []

    def post(self, request):
        Item(data=request.data, many=True).is_valid(raise_exception=True)
        return Response()


class Item(serializers.Serializer):
    name = serializers.CharField()
    parts = serializers.ListField(child=serializers.IntegerField(), min_length=1)


def page(request):
    return HttpResponseNotFound("<h1>Not here</h1>")


def crash(request):
    raise RuntimeError("secret detail")


urlpatterns = [
    path("api/raising", Raising.as_view()),
    path("api/list", Listed.as_view()),
    path("api/page", page),
    path("api/crash", crash),
    path("api/safe", require_safe(page)),
    path("elsewhere", page),
    path("api/fine", lambda request: HttpResponse("fine", headers={"X-Kept": "yes"})),
]


@override_settings(ROOT_URLCONF=__name__)
class ProblemCase(ProblemAssertions, SimpleTestCase):
    client_class = APIClient

    def answer_to(self, error):
        Raising.error = error
        return self.client.get("/api/raising")


class RaisedTests(ProblemCase):
    def test_each_exception_has_its_status(self):
        for error, status, detail in (
            (Http404("x"), 404, "Not found."),
            (exceptions.NotFound("No such order."), 404, "No such order."),
            (PermissionDenied("x"), 403, "You do not have permission to perform this action."),
            (exceptions.PermissionDenied("Not yours."), 403, "Not yours."),
            (exceptions.ParseError("Not JSON."), 400, "Not JSON."),
            (exceptions.MethodNotAllowed("PUT"), 405, 'Method "PUT" not allowed.'),
            (exceptions.UnsupportedMediaType("x"), 415, 'Unsupported media type "x" in request.'),
            (Conflict("No longer pending."), 409, "No longer pending."),
            (Conflict(), 409, "The resource's state does not allow this."),
            (KeyReused("Used before."), 422, "Used before."),
            (RequestDataTooBig("x"), 413, "The body is larger than 1 MiB."),
        ):
            with self.subTest(error):
                body = self.assert_problem(self.answer_to(error), status)
                self.assertEqual(body["detail"], detail)
                self.assertEqual(set(body), {"type", "title", "status", "detail"})

    def test_no_credentials_and_bad_ones_are_403_where_no_scheme_is_offered(self):
        self.assert_problem(self.answer_to(exceptions.NotAuthenticated()), 403)

    def test_too_many_says_when_to_try_again(self):
        response = self.answer_to(exceptions.Throttled(wait=7.2))
        self.assert_problem(response, 429)
        self.assertEqual(response.headers["Retry-After"], "8")

    def test_a_database_that_is_away_or_busy_says_when_to_try_again(self):
        self.client.raise_request_exception = False
        read_only = InternalError("cannot execute INSERT in a read-only transaction")
        for error in (OperationalError("locked"), InterfaceError("closed"), read_only):
            with self.assertLogs("chassis.problems", "WARNING"), self.assertLogs("django.request"):
                response = self.answer_to(error)
            self.assert_problem(response, 503)
            self.assertEqual(response.headers["Retry-After"], "2")
            self.assertNotIn(b"locked", response.content)

    def test_anything_else_is_500_and_tells_nothing(self):
        self.client.raise_request_exception = False
        for error in (
            RuntimeError("secret detail"),
            DataError("secret detail"),
            KeyError("secret"),
        ):
            for debug in (False, True):
                with (
                    self.subTest(error, debug=debug),
                    override_settings(DEBUG=debug),
                    self.assertLogs("django.request", "ERROR"),
                ):
                    response = self.answer_to(error)
                    self.assert_problem(response, 500)
                    self.assertNotIn(b"secret", response.content)


class InputTests(ProblemCase):
    def errors(self, error):
        body = self.assert_problem(self.answer_to(error), error.status_code)
        self.assertEqual(body["detail"], "The input is not valid; `errors` says where.")
        return [(e["field"], e["message"], e["code"]) for e in body["errors"]]

    def test_each_field_is_named_with_its_message_and_code(self):
        error = exceptions.ValidationError({"a": [ErrorDetail("No.", "bad"), "Nor."], "b": "Hm."})
        expected = [("a", "No.", "bad"), ("a", "Nor.", "invalid"), ("b", "Hm.", "invalid")]
        self.assertCountEqual(self.errors(error), expected)

    def test_nested_fields_are_named_by_their_path(self):
        error = exceptions.ValidationError({"items": [{}, {"price": ["Too low."]}]})
        self.assertEqual(self.errors(error), [("items.1.price", "Too low.", "invalid")])

    def test_what_no_field_is_to_blame_for_names_none(self):
        self.assertEqual(self.errors(exceptions.ValidationError("No.")), [("", "No.", "invalid")])
        error = exceptions.ValidationError({"non_field_errors": ["No."]})
        self.assertEqual(self.errors(error), [("", "No.", "invalid")])
        error = exceptions.ValidationError({"items": {"non_field_errors": ["Too many."]}})
        self.assertEqual(self.errors(error), [("items", "Too many.", "invalid")])

    def test_a_reused_key_may_name_its_row(self):
        error = KeyReused({"0": {"message_id": [ErrorDetail("Used.", "reused")]}})
        self.assertEqual(self.errors(error), [("0.message_id", "Used.", "reused")])

    def test_the_rows_of_a_list_are_named_by_their_index(self):
        rows = [{"name": "x", "parts": [1]}, {}, {"name": "", "parts": ["x", 1, "y"]}, 5]
        response = self.client.post("/api/list", rows, format="json")
        self.assert_invalid(response, "1.name", "1.parts", "2.name", "2.parts.0", "2.parts.2", "3")
        self.assert_invalid(self.client.post("/api/list", {}, format="json"), "")


class MiddlewareTests(ProblemCase):
    def test_an_unknown_path_is_a_problem_below_api_alone(self):
        for debug in (False, True):
            with override_settings(DEBUG=debug):
                body = self.assert_problem(self.client.get("/api/nothing"), 404)
                self.assertEqual(body["detail"], "There is nothing at this path.")
                self.assertNotIn("problem", self.client.get("/nothing").headers["Content-Type"])

    def test_a_page_of_djangos_becomes_one(self):
        self.assert_problem(self.client.get("/api/page"), 404)
        self.assertEqual(self.client.get("/elsewhere").content, b"<h1>Not here</h1>")

    def test_a_crash_outside_of_the_framework_becomes_one(self):
        self.client.raise_request_exception = False
        for debug in (False, True):
            with override_settings(DEBUG=debug), self.assertLogs("django.request", "ERROR"):
                response = self.client.get("/api/crash")
            self.assert_problem(response, 500)
            self.assertNotIn(b"secret", response.content)

    def test_a_method_that_django_refuses_is_answered_with_those_that_it_takes(self):
        response = self.client.post("/api/safe")
        self.assert_problem(response, 405)
        self.assertEqual(response.headers["Allow"], "GET, HEAD")

    def test_an_answer_that_is_none_passes_as_it_is(self):
        response = self.client.get("/api/fine")
        self.assertEqual((response.content, response.headers["X-Kept"]), (b"fine", "yes"))

    def test_a_host_that_is_not_served_is_400_before_anything_is_done(self):
        Raising.error = AssertionError("the view was called")
        for host in ("evil.example", "testserver.evil.example", "a b", "testserver:x"):
            with self.subTest(host):
                response = self.client.get("/api/raising", headers={"Host": host})
                self.assert_problem(response, 400)

    def test_the_title_is_the_statuss_phrase(self):
        self.assertEqual(problem(409)["title"], "Conflict")
        self.assertEqual(
            problem(409), {**problem(409), "detail": "Conflict", "type": "about:blank"}
        )
