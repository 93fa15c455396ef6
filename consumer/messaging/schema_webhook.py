"""The webhook in the OpenAPI document: what this service posts, and how its answers are taken."""

from drf_spectacular.utils import OpenApiWebhook

from chassis.openapi import Schema
from messaging.examples import WEBHOOK, WEBHOOK_FAILED


def _header(name: str, description: str, schema: Schema, *, required: bool = True) -> Schema:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": schema,
    }


HEADERS = [
    _header(
        "webhook-id",
        "The same for every attempt, as in Standard Webhooks.",
        {"type": "string", "format": "uuid"},
    ),
    _header(
        "webhook-timestamp",
        "When this attempt was signed, in seconds since 1970.",
        {"type": "string", "pattern": "^[0-9]+$"},
    ),
    _header(
        "webhook-signature",
        "Signatures as in Standard Webhooks, one with each secret in use, separated by spaces. "
        "Only the origins in WEBHOOK_ALLOWED_ORIGINS get them.",
        {"type": "string", "pattern": r"^v1,[A-Za-z0-9+/=]+( v1,[A-Za-z0-9+/=]+)*$"},
        required=False,
    ),
    _header(
        "X-Request-ID",
        "The message's `request_id`, or that of the request which sent it.",
        {"type": "string", "minLength": 1},
    ),
]
BODY: Schema = {
    "type": "object",
    "required": ["task_id", "status", "result"],
    "properties": {
        "task_id": {"type": "string", "maxLength": 255},
        "status": {
            "type": "string",
            "enum": ["confirmed", "cancelled"],
            "description": "The order's new status: `cancelled` where the task failed for good.",
        },
        "result": {
            "type": "string",
            "maxLength": 255,
            "description": "The task's result, or a short reason of its failure.",
        },
    },
    "additionalProperties": False,
}
EXAMPLES = {
    "Succeeded": {"summary": "The task succeeded", "value": WEBHOOK},
    "Failed": {"summary": "The task failed", "value": WEBHOOK_FAILED},
}
RESULT = OpenApiWebhook(
    "task-result",
    {
        "post": {
            "operationId": "task_result",
            "summary": "A task's result",
            "description": "Posted to the message's `webhook_url`, at least once. Only a 2xx is "
            "success; redirects are not followed and end it as `dead`; 10 s in all, 5 s to "
            "connect. It is tried again after 1 s, 5 s, 30 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, "
            "20 h and 24 h, each ±20 %, or after `Retry-After` (up to 10 h) where that is later, "
            "and is `dead` after the 12th try or 7 days. A host that fails 5 times in a row is "
            "only probed, every 2 to 15 s, until it answers.",
            "tags": ["messages"],
            "security": [{"Api-Key": []}, {}],
            "parameters": HEADERS,
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": BODY, "examples": EXAMPLES}},
            },
            "responses": {
                "2XX": {"description": "Delivered."},
                "404": {
                    "description": "Whom it concerns is no more: it ends as `gone`, as by 410."
                },
                "4XX": {
                    "description": "Refused: it ends as `dead`, and can be sent again. 401, 403, "
                    "408, 425 and 429 are tried again."
                },
                "5XX": {"description": "Tried again."},
            },
        }
    },
)
