"""API keys: who holds one (authentication), what it opens (permissions), how keys are made.

A service key is a stock `APIKey` and opens the service; a scoped key is a row of a service's own
model (an OrderAPIKey, a TaskAPIKey) and opens one row. Only their hashes are stored.
"""

import hashlib
import hmac
from functools import cache
from typing import Any

from django.apps import apps
from django.conf import settings
from rest_framework import authentication, exceptions
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework_api_key.models import AbstractAPIKey, APIKey
from rest_framework_api_key.permissions import KeyParser

from chassis.sql import Prepared

PREFIX, SECRET = 8, 32  # characters, as the library makes them: "prefix.secret"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BAD_KEY = "The API key is not known, revoked or expired."


def key_in(request: Any) -> str | None:
    """The key of the Authorization header, None where there is none (another scheme counts as
    none).
    """
    return KeyParser().get_from_authorization(request)


def usable(row: AbstractAPIKey | None, key: str) -> bool:
    """Whether `row` is this key's, not revoked and not expired; compared in constant time."""
    return row is not None and not row.revoked and row.is_valid(key) and not row.has_expired


def find(model: type[AbstractAPIKey], key: str) -> AbstractAPIKey | None:
    """The usable row of `model` that `key` opens, or None; one query."""
    if "\x00" in key:
        return None
    row = _by_prefix(model).one(prefix=key.partition(".")[0])
    return row if usable(row, key) else None


@cache
def _by_prefix(model: type[AbstractAPIKey]) -> "Prepared[AbstractAPIKey]":
    return Prepared(lambda prefix: model.objects.filter(prefix=prefix).order_by(), prefix="prefix")


def scoped_model() -> Any:
    """The service's model of keys that open one row; its `scope` names that row's field, its
    `lookup` how it is found.
    """
    return apps.get_model(settings.SCOPED_KEY_MODEL)


class ApiKeyAuthentication(authentication.BaseAuthentication):
    """`Authorization: Api-Key …`: sets request.auth to the key's row, a service key's or a scoped
    one's.
    """

    def authenticate(self, request: Request) -> tuple[None, AbstractAPIKey] | None:
        key = key_in(request)
        if key is None:
            return None
        row = find(APIKey, key) or find(scoped_model(), key)
        if row is None:
            raise exceptions.AuthenticationFailed(BAD_KEY)
        return None, row

    def authenticate_header(self, request: Request) -> str:
        return "Api-Key"


class IsServiceKey(BasePermission):
    message = "A service key is needed."

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, APIKey)


def hashed(key: str) -> dict[str, str]:
    """The columns that store a key: its id, prefix and hash."""
    prefix = key.partition(".")[0]
    digest = APIKey.objects.key_generator.hash(key)
    return {"id": f"{prefix}.{digest}", "prefix": prefix, "hashed_key": digest}


def derive(purpose: str, subject: str, turn: int = 0) -> str:
    """The key that this service makes for `subject`: the same at every call, without being stored.

    `turn` gives another one, where the prefix is taken by another subject's key.
    """
    text = f"{purpose}:{subject}:{turn}".encode()
    digest = hmac.digest(settings.SECRET_KEY.encode(), text, hashlib.sha512)
    number = int.from_bytes(digest)
    characters = []
    for _ in range(PREFIX + SECRET):
        number, index = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[index])
    return f"{''.join(characters[:PREFIX])}.{''.join(characters[PREFIX:])}"
