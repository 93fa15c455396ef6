"""A column whose text is encrypted at rest: keys that others gave us to post results with."""

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


@lru_cache(maxsize=4)
def _cipher(secrets: tuple[str, ...]) -> MultiFernet:
    texts = (f"messaging.encryption:{secret}".encode() for secret in secrets)
    digests = (hashlib.sha256(text).digest() for text in texts)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def _secrets() -> tuple[str, ...]:
    fallbacks: Sequence[str] = settings.SECRET_KEY_FALLBACKS
    return (settings.SECRET_KEY, *fallbacks)


class EncryptedField(models.TextField):
    """Text kept encrypted under SECRET_KEY; it rotates with SECRET_KEY_FALLBACKS. "" stays "".

    A value that no present secret opens reads as "": the row goes on without it.
    """

    def get_prep_value(self, value: Any) -> Any:
        return _cipher(_secrets()).encrypt(value.encode()).decode() if value else ""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str:
        try:
            return _cipher(_secrets()).decrypt(value.encode()).decode() if value else ""
        except InvalidToken:
            return ""
