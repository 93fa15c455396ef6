"""The OpenAPI documents: what those of both services share.

Each service's `schema.py` describes its own endpoints; here are the security schemes, the problems
that any endpoint may answer, and the settings. Nothing of it runs when a request is answered.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from drf_spectacular import openapi
from drf_spectacular.extensions import OpenApiAuthenticationExtension

from chassis.openapi_problems import PROBLEM_SCHEMA, PROBLEMS, Schema, name_of, reference, response

PROBLEM = object()  # stands for a problem among the responses of `extend_schema`


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "rest_framework.authentication.TokenAuthentication"
    name = "Token"
    match_subclasses = True

    def get_security_definition(self, auto_schema: openapi.AutoSchema) -> Schema:
        return _authorization("A user's: `Token ` and the token that `users/token` gives.")


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "chassis.keys.ApiKeyAuthentication"
    name = "Api-Key"
    match_subclasses = True

    def get_security_definition(self, auto_schema: openapi.AutoSchema) -> Schema:
        return _authorization(
            "A service's: `Api-Key ` and a key that `manage.py create_api_key` makes."
        )


def _authorization(description: str) -> Schema:
    return {"type": "apiKey", "in": "header", "name": "Authorization", "description": description}


def answers(success: dict[int, Any], *problems: int) -> dict[int, Any]:
    """An operation's responses: those of success, and its own problems by their status.

    AutoSchema adds the problems of every operation.
    """
    return {**success, **dict.fromkeys(problems, PROBLEM)}


class AutoSchema(openapi.AutoSchema):  # type: ignore[no-untyped-call]
    """Adds to each operation the problems that follow from what it is."""

    def _get_request_body(self, direction: Any = "request") -> Schema | None:
        body: Schema | None = super()._get_request_body(direction)
        if body and self.method != "PATCH":
            body["required"] = True
        return body

    def _get_response_bodies(self, direction: Any = "response") -> Schema:
        responses: Schema = super()._get_response_bodies(direction)
        common = {406, 503}
        if self.get_auth():
            common.add(401)
        if self._get_request_body():
            common |= {400, 413, 415}
        responses |= {str(status): reference(status) for status in common}
        return dict(sorted(responses.items()))

    def _get_response_for_code(
        self, serializer: Any, status_code: str, *args: Any, **kwargs: Any
    ) -> Any:
        if serializer is PROBLEM:
            return reference(int(status_code))
        response = super()._get_response_for_code(serializer, status_code, *args, **kwargs)
        response["description"] = response["description"] or HTTPStatus(int(status_code)).phrase
        return response


def add_problems(result: Schema, **context: Any) -> Schema:
    """A hook of the generator: the problems that the document refers to."""
    used = {
        response.get("$ref")
        for operations in result["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
    }
    result["components"]["responses"] = {
        name_of(status): response(status)
        for status in PROBLEMS
        if reference(status)["$ref"] in used
    }
    result["components"]["schemas"]["Problem"] = PROBLEM_SCHEMA
    return result


def name_task_ids(result: Schema, **context: Any) -> Schema:
    """A hook of the generator: what the URLs call `pk` is a `task_id`."""
    result["paths"] = {
        path.replace("{pk}", "{task_id}"): operations
        for path, operations in result["paths"].items()
    }
    for parameter in _parameters(result["paths"].values()):
        if (parameter["in"], parameter["name"]) == ("path", "pk"):
            parameter["name"] = "task_id"
    return result


def _parameters(paths: Iterable[Schema]) -> Iterable[Schema]:
    return (
        parameter
        for operations in paths
        for operation in operations.values()
        for parameter in operation.get("parameters", [])
    )


def tidy(result: Any, **context: Any) -> Any:
    """A hook of the generator: without its notes to other hooks; of "anything, or null" the first
    says all, and null would be both.
    """
    if isinstance(result, list):
        return [tidy(value) for value in result]
    if not isinstance(result, dict):
        return result
    kept = {name: tidy(value) for name, value in result.items() if name != "x-spec-enum-id"}
    if kept.get("oneOf") == [{}, {"type": "null"}]:
        del kept["oneOf"]
    return kept
