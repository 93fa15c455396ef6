"""Posting one result to its webhook: the body, the signature, and what the answer means."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from celery import states
from django.conf import settings
from django_celery_results.models import TaskResult
from standardwebhooks import Webhook

from chassis import http
from chassis.outbox import Outcome, spread
from messaging import results, services, targets
from messaging.models import Message, State

RETRY_SECONDS = (1, 5, 30, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
MOST_SECONDS = 7 * 24 * 3600  # after the first try
MOST_RETRY_AFTER = 36000
TRIED_AGAIN = frozenset((401, 403, 408, 425, 429))
GONE = frozenset((404, 410))


def post_result(message: Message, task: TaskResult) -> http.Answer:
    """Post a message's result; touches no database, so that it may run in any thread."""
    body = json.dumps(body_of(task)).encode()
    origin = targets.origin_of(message.webhook_url)
    is_allowed = origin in allowed_origins()
    return http.post(
        message.webhook_url,
        body=body,
        headers=_headers(message, body, signed=is_allowed),
        check_address=None if is_allowed else targets.check_address,
    )


def allowed_origins() -> set[str]:
    return {targets.origin_of(url) for url in settings.WEBHOOK_ALLOWED_ORIGINS}


def body_of(task: TaskResult) -> dict[str, str]:
    """What the producer's webhook takes: the order's new status, and the result's text or a short
    reason.
    """
    succeeded = task.status == states.SUCCESS
    outcome = results.outcome_of(task)
    text = outcome if isinstance(outcome, str) else json.dumps(outcome)
    return {
        "task_id": task.task_id,
        "status": "confirmed" if succeeded else "cancelled",
        "result": (text if succeeded or outcome else task.status)[:255],
    }


def _headers(message: Message, body: bytes, *, signed: bool) -> dict[str, str]:
    message_id, at = str(message.message_id), message.claimed_at
    headers = {
        "Content-Type": "application/json",
        "X-Request-ID": message.request_id or message_id,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
    }
    if key := services.key_for(message):
        headers["Authorization"] = f"Api-Key {key}"
    if signed:  # a stranger gets no signature that the producer would accept
        headers["webhook-signature"] = signature(message_id, at, body)
    return headers


def signature(message_id: str, at: datetime, body: bytes) -> str:
    """As Standard Webhooks has it, made with every secret in use, so that one can be replaced
    without a gap.
    """
    text = body.decode()
    return " ".join(
        Webhook(secret).sign(message_id, at, text) for secret in settings.WEBHOOK_SIGNING_SECRETS
    )


def host_works(answer: http.Answer) -> bool | None:
    """What an answer says of its host: True it works, False it fails, None it wants this one again
    later.

    A 401 counts as a failure of the host: a key or secret that is being replaced refuses all alike.
    Where its address is forbidden, its rows end at once: there is nothing to wait for.
    """
    if answer.refused:
        return True
    if answer.status is None:
        return False
    if answer.status >= 500 or answer.status == 401:
        return False
    return None if answer.status in TRIED_AGAIN else True


def outcome_of(
    message: Message, answer: http.Answer, *, probe_seconds: float | None = None
) -> Outcome:
    """What becomes of a message after an answer; `probe_seconds`: it was a probe, which is not
    counted.
    """
    status = answer.status
    if status is not None and 200 <= status < 300:
        return _ended(message, State.DELIVERED, "", webhook_api_key="")
    reason = reason_of(answer)
    if status in GONE:
        return _ended(message, State.GONE, reason, webhook_api_key="")
    if answer.refused or (status is not None and status < 500 and status not in TRIED_AGAIN):
        return _ended(message, State.DEAD, reason)
    too_old = message.delivering_since is not None and (
        (message.claimed_at - message.delivering_since).total_seconds() > MOST_SECONDS
    )
    if too_old or (message.attempts > len(RETRY_SECONDS) and probe_seconds is None):
        return _ended(message, State.DEAD, reason)
    if probe_seconds is not None:
        return Outcome(message, due_in=probe_seconds, attempts=message.attempts - 1, error=reason)
    due_in = max(spread(RETRY_SECONDS[message.attempts - 1]), retry_after(answer))
    return Outcome(message, due_in=due_in, attempts=message.attempts, error=reason)


def _ended(message: Message, state: State, reason: str, **changes: Any) -> Outcome:
    changes["state"] = state
    return Outcome(message, due_in=None, attempts=message.attempts, error=reason, changes=changes)


def reason_of(answer: http.Answer) -> str:
    if answer.status is None:
        return answer.error
    if 300 <= answer.status < 400:
        return f"{answer.status} redirects are not followed"
    return f"{answer.status}"


def retry_after(answer: http.Answer) -> float:
    """Seconds that the receiver asks to wait, at most 10 hours; 0 where it doesn't ask."""
    given = answer.headers.get("Retry-After", "").strip()
    try:
        if given.isascii() and given.isdigit():
            seconds = float(given[:9])
        else:
            seconds = (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError, LookupError):  # a peer may write anything
        return 0.0
    return min(max(seconds, 0.0), MOST_RETRY_AFTER)
