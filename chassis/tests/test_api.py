"""Paths, pages and filters, on a list of API keys: the one table that both services have."""

import base64

from django.test import SimpleTestCase, TestCase, override_settings
from django.urls import path, resolve, reverse
from rest_framework import serializers, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework_api_key.models import APIKey

from chassis.api import NewestFirst, endpoint, filtered
from chassis.testing import ProblemAssertions
from chassis.throttle import address


class Filters(serializers.Serializer):
    name = serializers.CharField(max_length=5, required=False)
    made_after = serializers.DateTimeField(source="created__gte", required=False)


class Keys(viewsets.GenericViewSet):
    permission_classes = []

    def list(self, request):
        rows = filtered(request, Filters, APIKey.objects.order_by("prefix"))
        return Response([row.name for row in rows])

    def create(self, request):
        return Response({"sent": request.data}, status=201)


urlpatterns = [
    endpoint("api/keys/", Keys.as_view({"get": "list", "post": "create"}), "keys"),
    endpoint("api/keys/<uuid:uuid>/status/update", Keys.as_view({"post": "create"}), "update"),
    endpoint("api/keys/<str:pk>/", Keys.as_view({"get": "list"}), "key"),
    path("api/strict/", Keys.as_view({"get": "list"})),
]


@override_settings(ROOT_URLCONF=__name__)
class PathTests(SimpleTestCase):
    UUID = "c151efba-f415-4d2a-8b8f-161f30456aff"

    def test_a_path_is_found_with_its_last_slash_missing_or_added(self):
        for name, url in {
            "keys": "/api/keys",
            "update": f"/api/keys/{self.UUID}/status/update",
            "key": "/api/keys/abc",
        }.items():
            for ending in ("", "/"):
                self.assertEqual(resolve(url + ending).url_name, name)

    def test_what_the_path_holds_is_the_same_either_way(self):
        self.assertEqual(resolve("/api/keys/abc").kwargs, resolve("/api/keys/abc/").kwargs)

    def test_a_path_is_made_as_it_is_written(self):
        self.assertEqual(reverse("keys"), "/api/keys/")
        self.assertEqual(
            reverse("update", args=[self.UUID]), f"/api/keys/{self.UUID}/status/update"
        )

    def test_a_body_gets_there_without_a_redirect(self):
        for url in ("/api/keys", "/api/keys/"):
            response = APIClient().post(url, {"a": 1}, format="json")
            self.assertEqual((response.status_code, response.json()), (201, {"sent": {"a": 1}}))

    def test_other_paths_are_not_found(self):
        for url in (
            "/api/key",
            "/api/keysx",
            "/api/keys/not-a-uuid/status/update",
            "/api/keys/a/b",
        ):
            with self.subTest(url):
                self.assertEqual(APIClient().get(url).status_code, 404)


class PageSizeTests(SimpleTestCase):
    def size(self, text):
        request = Request(APIRequestFactory().get("/", {"page_size": text}))
        return NewestFirst().get_page_size(request)

    def test_it_is_25_unless_given_and_at_most_100(self):
        sizes = [self.size(text) for text in ("", "1", "99", "100", "101", "9" * 400, "007")]
        self.assertEqual(sizes, [25, 1, 99, 100, 100, 100, 7])

    def test_what_is_no_number_above_0_is_refused(self):
        for text in ("0", "-1", "1.0", "x", "²", "٣", " ", "+1", "0x10", "1_0"):
            with self.subTest(text), self.assertRaises(ValidationError):
                self.size(text)


class CursorTests(SimpleTestCase):
    def decode(self, text):
        return NewestFirst().decode_cursor(Request(APIRequestFactory().get("/", {"cursor": text})))

    def encode(self, text):
        return base64.b64encode(text.encode()).decode()

    def test_a_position_and_its_direction_are_read(self):
        self.assertEqual(self.decode(self.encode("p=7")), (0, False, "7"))
        self.assertEqual(self.decode(self.encode("r=1&p=7")), (0, True, "7"))
        self.assertIsNone(self.decode(""))

    def test_everything_else_is_refused(self):
        inner = ("p=", "r=1&p=", "p=x", "p=1.5", "p=7\x00", "q=7", "p=7&o=x", "\ud7ff", "0")
        for text in ("x", "====", "a b", "é", "\x00", "YWJj", *map(self.encode, inner)):
            with self.subTest(text), self.assertRaises(ValidationError):
                self.decode(text)


@override_settings(ROOT_URLCONF=__name__)
class FilterTests(ProblemAssertions, TestCase):
    client_class = APIClient

    @classmethod
    def setUpTestData(cls):
        for name in ("one", "two"):
            APIKey.objects.create_key(name=name)

    def test_rows_are_filtered_by_each_fields_source(self):
        self.assertEqual(self.client.get("/api/keys/?name=one").json(), ["one"])
        self.assertEqual(self.client.get("/api/keys/?made_after=2999-01-01T00:00:00Z").json(), [])

    def test_an_empty_or_unknown_filter_is_none(self):
        self.assertEqual(len(self.client.get("/api/keys/?name=&colour=red").json()), 2)

    def test_a_bad_filter_is_refused_by_its_name(self):
        response = self.client.get("/api/keys/?name=toolong&made_after=soon")
        self.assert_invalid(response, "name", "made_after")


class AddressTests(SimpleTestCase):
    def test_a_request_without_a_proxy_comes_from_its_peer(self):
        request = APIRequestFactory().get(
            "/", REMOTE_ADDR="192.0.2.7", HTTP_X_FORWARDED_FOR="1.1.1.1"
        )
        self.assertEqual(address(request), "192.0.2.7")
