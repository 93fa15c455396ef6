"""Checks real answers against the OpenAPI document, for a TestCase."""

import json
from functools import cache
from typing import Any

from django.http import HttpResponse
from jsonschema import Draft202012Validator, FormatChecker

from chassis.documents import document

Found = dict[str, Any]


@cache
def openapi() -> Found:
    found: Found = json.loads(document("application/json"))
    return found


def operations() -> dict[str, tuple[str, str, Found]]:
    """Each operation by its id: path, method, and what the document says of it."""
    return {
        operation["operationId"]: (path, method, operation)
        for path, methods in openapi()["paths"].items()
        for method, operation in methods.items()
    }


def strict(schema: Any) -> Any:
    """The same schema, where a member that it doesn't have is an error."""
    if isinstance(schema, list):
        return [strict(value) for value in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if isinstance(schema.get("properties"), dict) else {}
    return closed | {name: strict(value) for name, value in schema.items()}


class DocumentAssertions:
    seen: set[str]  # the operations that have succeeded

    def check(self, operation_id: str, response: HttpResponse, status: int) -> Any:
        """The answer has this status, and is as the document says; returns it."""
        self.assertEqual(response.status_code, status, response.content)
        self.assert_documented(operation_id, response)
        if status < 300:
            self.seen.add(operation_id)
        return response

    def assert_documented(self, operation_id: str, response: HttpResponse) -> None:
        """The answer's status, headers, content type and body are as the document says."""
        responses = operations()[operation_id][2]["responses"]
        status = str(response.status_code)
        self.assertIn(status, responses, response.content)
        said = resolved(responses[status])
        for name, header in said.get("headers", {}).items():
            if header.get("required"):
                self.assertIn(name, response.headers)
        content = said.get("content", {})
        if not content:
            self.assertEqual(response.content, b"")
            return
        self.assertIn(response.headers["Content-Type"], content)
        (media,) = content.values()
        assert_valid(media["schema"], json.loads(response.content))


def resolved(found: Found) -> Found:
    """A response, where it is among the components."""
    name = found.get("$ref", "").rpartition("/")[2]
    return openapi()["components"]["responses"][name] if name else found


def assert_valid(schema: Found, value: Any) -> None:
    """Raises jsonschema.ValidationError unless it is valid, without a member too many."""
    whole = {"components": strict(openapi()["components"]), **strict(schema)}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


class ExampleTests(DocumentAssertions):
    """The document's own promises, for a TestCase."""

    def test_every_example_is_valid_by_its_schema(self):
        for name, (_, _, operation) in operations().items():
            answers = [resolved(answer) for answer in operation["responses"].values()]
            for part in (operation.get("requestBody", {}), *answers):
                for media in part.get("content", {}).values():
                    for example in media.get("examples", {}).values():
                        with self.subTest(name):
                            assert_valid(media["schema"], example["value"])

    def test_every_operation_that_answers_a_body_shows_one(self):
        for name, (_, _, operation) in operations().items():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for part in bodies:
                for media in part.get("content", {}).values():
                    with self.subTest(name):
                        self.assertTrue(media.get("examples"))

    def test_the_document_and_its_page_are_served_without_an_outside_asset(self):
        for path in ("/api/schema/", "/api/schema", "/api/docs/", "/api/docs"):
            self.assertEqual(self.client.get(path).status_code, 200)
        page = self.client.get("/api/docs/").content.decode()
        self.assertNotIn("http", page)
        self.assertNotIn("<script>", page)
        as_json = self.client.get("/api/schema/", headers={"Accept": "application/json"})
        self.assertEqual(as_json.headers["Content-Type"], "application/json")
        self.assertEqual(as_json.json()["openapi"][:3], "3.1")
