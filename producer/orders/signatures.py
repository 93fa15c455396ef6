"""Webhook signatures as in the Standard Webhooks specification, by the database's clock."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

from django.conf import settings
from rest_framework import exceptions
from standardwebhooks import Webhook

TOLERANCE = 300  # seconds


class BadSignature(exceptions.AuthenticationFailed):
    default_detail = "The webhook's signature is missing, wrong or older than 5 minutes."
    default_code = "bad_signature"


def verify(headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raises BadSignature unless a secret in use signed `body` within 5 minutes of `now`.

    A request without any signature passes unless WEBHOOK_SIGNATURE_REQUIRED is set. The package's
    own `verify` follows the process's clock, which may be set back while the database's stays.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "")
    if not (message_id or timestamp or signatures) and not settings.WEBHOOK_SIGNATURE_REQUIRED:
        return
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise BadSignature()
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE or not message_id:
        raise BadSignature()
    sent_at = datetime.fromtimestamp(int(timestamp), UTC)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadSignature() from error
    given = [signature.encode() for signature in signatures.split()]
    expected = [
        Webhook(secret).sign(message_id, sent_at, text).encode()
        for secret in settings.WEBHOOK_SIGNING_SECRETS
    ]
    if not any(hmac.compare_digest(one, other) for one in expected for other in given):
        raise BadSignature()
