"""Random bodies for an endpoint, the same at each run: none may end in a server error.

`manage.py test` throws a few at each endpoint, `make fuzz` 10,000.
"""

import copy
import json
import math
import os
import random
from collections.abc import Iterator
from typing import Any

COUNT = int(os.environ.get("FUZZ_BODIES", "100"))  # for each endpoint

ODD: list[Any] = [
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 10**30, 2**63, -(2**63) - 1, "", " ", "0", "-1",
    "1e400", "1e-400", "NaN", "Infinity", "-0", "1_000", "٣", "\x00", "a\x00b", "\ud800", "\u202e",
    "x" * 256, "x" * 5000, "9" * 5000, "é", "😀", "\r\nX: y", "' OR 1=1 --", "%s", "{0}",
    "../../etc", "+21658741196", "+216" + "5" * 300, "tel:+21658741196", "+21658741196 ext. 5",
    "TND", "tnd", "cancelled", "pending", "confirmed", "PENDING", "SUCCESS", "2026-13-01",
    "00000000-0000-0000-0000-000000000000", "c151efba-f415-4d2a-8b8f-161f30456aff",
    "http://127.0.0.1:7000/", "http://[::1]/", "https://shop.example/hook", "http://[", "http://a:b/",
    [], {}, [[]], [{}], [None], {"": None}, {"a": [1]}, {"a": 1},
    [{"item_name": "x"}], [{"price": 1}], [{"item_name": "x", "price": "-0", "quantity": "1_0"}],
]  # fmt: skip
OTHER_TYPES = ("text/plain", "application/x-www-form-urlencoded", "application/xml", "", "a/b;c")


def bodies(example: Any, count: int, seed: str) -> Iterator[tuple[bytes, str]]:
    """Bodies with their content types: mostly the example with some of its parts changed."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    for _ in range(count):
        roll = chance.random()
        value = mutated(example, chance) if roll < 0.85 else tree(chance)
        # Not by a client's own encoder: it knows no lone surrogates.
        text = json.dumps(value, ensure_ascii=chance.random() < 0.8).encode(errors="surrogatepass")
        if chance.random() < 0.1:
            text = damaged(text, chance)
        kind = "application/json" if chance.random() < 0.98 else chance.choice(OTHER_TYPES)
        yield text, kind


def mutated(example: Any, chance: random.Random) -> Any:
    """The example with one to three of its parts replaced, removed, or joined by others."""
    body = copy.deepcopy(example)
    for _ in range(chance.randint(1, 3)):
        part = chance.choice(_containers(body))
        odd = copy.deepcopy(chance.choice(ODD))
        if isinstance(part, list):
            part.insert(chance.randint(0, len(part)), odd)
            continue
        name = chance.choice([*part, "status", "extra"])
        if chance.random() < 0.15:
            part.pop(name, None)
        else:
            part[name] = odd
    return body


def tree(chance: random.Random, depth: int = 0) -> Any:
    """Any JSON at all."""
    if depth > 3 or chance.random() < 0.4:
        return copy.deepcopy(chance.choice(ODD))
    parts = [tree(chance, depth + 1) for _ in range(chance.randint(0, 4))]
    if chance.random() < 0.5:
        return parts
    return {str(chance.choice(ODD))[:50]: part for part in parts}


def damaged(text: bytes, chance: random.Random) -> bytes:
    """The text cut off, or with some of its bytes changed, or other bytes in its place."""
    if chance.random() < 0.3:
        return text[: chance.randint(0, len(text))]
    if chance.random() < 0.3:
        return chance.randbytes(chance.randint(0, 60))
    changed = bytearray(text)
    for _ in range(chance.randint(1, 4)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _containers(value: Any) -> list[Any]:
    """The objects and lists in a value, itself included."""
    parts: list[Any] = list(value.values()) if isinstance(value, dict) else value
    inner = [part for part in parts if isinstance(part, dict | list)]
    return [value, *(found for part in inner for found in _containers(part))]


class FuzzAssertions:
    """For a TestCase: throws bodies at an endpoint."""

    def throw(
        self,
        client: Any,
        method: str,
        url: str,
        example: Any,
        allowed: set[int],
        *,
        share: float = 1.0,
    ) -> None:
        """Every answer is one of the `allowed`, or 415; an error is a problem of RFC 9457.

        `share`: of the endpoint's bodies, where it gets some in another way too.
        """
        case: Any = self
        client.raise_request_exception = False
        count, seed = math.ceil(COUNT * share), f"{method} {json.dumps(example)}"
        for body, kind in bodies(example, count, seed):
            response = client.generic(method.upper(), url, body, content_type=kind)
            status, said = response.status_code, f"{body[:500]!r} {response.content[:300]!r}"
            case.assertIn(status, {*allowed, 415}, said)
            if status >= 400:
                found = response.headers["Content-Type"], response.json()["status"]
                case.assertEqual(found, ("application/problem+json", status), said)
