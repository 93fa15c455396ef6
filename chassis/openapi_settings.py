"""drf-spectacular's settings: what the documents of both services share."""

from collections.abc import Sequence
from typing import Any

CONVENTIONS = """
**Errors** are `application/problem+json` (RFC 9457). **Pages** are `{next, previous, results}`,
newest first: follow `next`, a URL or null; there is no count. **Times** are UTC, RFC 3339, with
`Z`. **Paths** are answered with their last slash missing or added, without a redirect. Each answer
has an `X-Request-ID`: the request's own, where it has one, and it goes along to the other service.
""".strip()


def spectacular(
    *,
    title: str,
    description: str,
    local: str,
    tags: dict[str, str],
    webhooks: Sequence[str] = (),
) -> dict[str, Any]:
    """SPECTACULAR_SETTINGS of one service; `local` is its origin on a developer's machine."""
    return {
        "OAS_VERSION": "3.1.1",
        "TITLE": title,
        "VERSION": "1.0.0",
        "DESCRIPTION": f"{description}\n\n{CONVENTIONS}",
        "SERVERS": [
            {"url": "/", "description": "Where this document is served from"},
            {"url": local, "description": "`make up`, docker-compose"},
        ],
        "TAGS": [{"name": name, "description": text} for name, text in tags.items()],
        "WEBHOOKS": list(webhooks),
        "SCHEMA_PATH_PREFIX": "/api/v1/",
        "ENFORCE_NON_BLANK_FIELDS": True,
        "POSTPROCESSING_HOOKS": [
            "chassis.openapi.add_problems",
            "chassis.openapi.name_task_ids",
            "chassis.openapi.tidy",
        ],
        "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
        # Docstrings are for who reads the code; what the document says is said in `schema.py`.
        "DISABLE_DOCSTRING_DESCRIPTIONS": True,
    }
