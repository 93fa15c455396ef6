"""Every problem that an endpoint may answer, as the OpenAPI documents have it."""

from typing import Any

from chassis.problems import CONTENT_TYPE, problem

Schema = dict[str, Any]

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


def name_of(status: int) -> str:
    return PROBLEMS[status][0].replace(" ", "")


def reference(status: int) -> Schema:
    return {"$ref": f"#/components/responses/{name_of(status)}"}


def response(status: int) -> Schema:
    title, meaning, detail = PROBLEMS[status]
    example = problem(status, detail, INVALID if status == 400 else None) | {"title": title}
    headers = {"headers": HEADERS[status]} if status in HEADERS else {}
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": meaning, **headers, "content": {CONTENT_TYPE: content}}
