"""The OpenAPI documents: what those of both services share.

Each service's `schema.py` describes its own endpoints; here are the security schemes, the problems
that any endpoint may answer, and the settings. Nothing of it runs when a request is answered.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from drf_spectacular import openapi
from drf_spectacular.extensions import OpenApiAuthenticationExtension

from chassis.problems import CONTENT_TYPE, problem

Schema = dict[str, Any]

PROBLEM = object()  # stands for a problem among the responses of `extend_schema`

INVALID: list[Schema] = [
    {"field": "items.0.price", "message": "A valid number is required.", "code": "invalid"}
]
# Of each status: its name, which Python's versions spell differently, what it means, and a detail.
PROBLEMS: dict[int, tuple[str, str, str]] = {
    400: (
        "Bad Request",
        "The input, a filter or a cursor is not valid; `errors` says where.",
        "The input is not valid; `errors` says where.",
    ),
    401: (
        "Unauthorized",
        "No credentials, or bad ones; `WWW-Authenticate` says which kind is wanted.",
        "Authentication credentials were not provided.",
    ),
    403: ("Forbidden", "The credentials are good, and not for this.", "A service key is needed."),
    404: ("Not Found", "It is not there, or another's.", "Not found."),
    406: (
        "Not Acceptable",
        "The answer is JSON, which the `Accept` header leaves out.",
        "Could not satisfy the request Accept header.",
    ),
    409: ("Conflict", "The state does not allow it.", "The resource's state does not allow this."),
    413: (
        "Content Too Large",
        "The body is larger than 1 MiB.",
        "The body is larger than 1 MiB.",
    ),
    415: (
        "Unsupported Media Type",
        "The body is not `application/json`.",
        'Unsupported media type "text/plain" in request.',
    ),
    422: (
        "Unprocessable Content",
        "An idempotency key, or a `message_id`, came before with something else.",
        "This Idempotency-Key was used for another order.",
    ),
    429: (
        "Too Many Requests",
        "Too many failed sign-ins, or too many new accounts.",
        "Too many failed sign-ins to this account.",
    ),
    503: (
        "Service Unavailable",
        "The database is away or busy; nothing was changed.",
        "The database can't be reached or is busy. Nothing was changed; try again.",
    ),
}
RETRY_AFTER: Schema = {
    "Retry-After": {
        "description": "Seconds to wait.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "2",
    }
}
HEADERS: dict[int, Schema] = {
    401: {
        "WWW-Authenticate": {
            "description": "The kind of credentials that is wanted.",
            "required": True,
            "schema": {"type": "string", "enum": ["Token", "Api-Key"]},
        }
    },
    429: RETRY_AFTER,
    503: RETRY_AFTER,
}
PROBLEM_SCHEMA: Schema = {
    "type": "object",
    "description": "An error, as in RFC 9457. `errors` is there for input that is not valid.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong, for people."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message", "code"],
                "properties": {
                    "field": {
                        "type": "string",
                        "description": "Its place in the input, such as `items.0.price`; empty "
                        "for the whole.",
                    },
                    "message": {"type": "string"},
                    "code": {"type": "string", "description": "The same in every version."},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


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
        responses |= {str(status): _reference(status) for status in common}
        return dict(sorted(responses.items()))

    def _get_response_for_code(
        self, serializer: Any, status_code: str, *args: Any, **kwargs: Any
    ) -> Any:
        if serializer is PROBLEM:
            return _reference(int(status_code))
        response = super()._get_response_for_code(serializer, status_code, *args, **kwargs)
        response["description"] = response["description"] or HTTPStatus(int(status_code)).phrase
        return response


def _name(status: int) -> str:
    return PROBLEMS[status][0].replace(" ", "")


def _reference(status: int) -> Schema:
    return {"$ref": f"#/components/responses/{_name(status)}"}


def add_problems(result: Schema, **context: Any) -> Schema:
    """A hook of the generator: the problems that the document refers to."""
    used = {
        response.get("$ref")
        for operations in result["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
    }
    result["components"]["responses"] = {
        _name(status): _response(status)
        for status in PROBLEMS
        if _reference(status)["$ref"] in used
    }
    result["components"]["schemas"]["Problem"] = PROBLEM_SCHEMA
    return result


def _response(status: int) -> Schema:
    title, meaning, detail = PROBLEMS[status]
    example = problem(status, detail, INVALID if status == 400 else None) | {"title": title}
    headers = {"headers": HEADERS[status]} if status in HEADERS else {}
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": meaning, **headers, "content": {CONTENT_TYPE: content}}


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
