"""Request bodies: JSON of at most 1 MiB and 32 levels, refused before it costs anything."""

import json
import math
from typing import IO, Any

from rest_framework import exceptions, parsers, status

MAX_BODY = 2**20  # bytes
MAX_READ = 8 * 2**20  # bytes read of a body that is too large, so that its sender sees the answer
MAX_DEPTH = 32


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is larger than 1 MiB."
    default_code = "too_large"


def _containers(values: Any) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _too_deep(value: Any) -> bool:
    depth, level = 0, _containers([value])
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [
            child
            for parent in level
            for child in _containers(parent.values() if isinstance(parent, dict) else parent)
        ]
    return depth > MAX_DEPTH


class LimitedJSONParser(parsers.BaseParser):
    """JSON of at most 1 MiB and 32 levels.

    No subclass of JSONParser: such a one is given the whole body, or nothing of one over 2.5 MB.
    """

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: Any = None, parser_context: Any = None) -> Any:
        return parse_json(read_body(stream))


def read_body(stream: IO[bytes]) -> bytes:
    """A request's body. Raises TooLarge, having read on so that the sender sees the answer."""
    body = stream.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        left = MAX_READ - len(body)
        while left > 0 and (chunk := stream.read(min(left, 2**16))):
            left -= len(chunk)
        raise TooLarge()
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):  # 1e999: no answer could show it again
        raise ValueError(f"{text[:20]} is too large")
    return value


def parse_json(body: bytes) -> Any:
    """The value of a JSON text; ParseError where it is none, or nested too deeply."""
    try:
        value = json.loads(body.decode(), parse_constant=_no_constant, parse_float=_finite)
        if b"\\ud" in body.lower():  # half of a pair is no text, and can't be shown again either
            json.dumps(value, ensure_ascii=False).encode()
    except ValueError as error:
        raise exceptions.ParseError(f"Not valid JSON: {error}") from error
    except RecursionError as error:
        raise exceptions.ParseError(f"JSON nested deeper than {MAX_DEPTH}.") from error
    # Text with fewer brackets than that can't be too deep, so the walk costs nothing as a rule.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _too_deep(value):
        raise exceptions.ParseError(f"JSON nested deeper than {MAX_DEPTH}.")
    return value
