"""Logs: one JSON line an event, or plain text in development, each with the ids it belongs to.

A request's id comes from its `X-Request-ID` header, or is made here. It goes along with an order to
the other service and back, so that one search shows an order's whole way.
"""

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

request_id: ContextVar[str] = ContextVar("request_id", default="")
_noted: ContextVar[dict[str, str] | None] = ContextVar("noted", default=None)

ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
NOT_SHOWN = STANDARD | {"request"}  # Django's: its text has the query string

ROUTINE = ("/health/", "/metrics")  # what is asked all the time

access = logging.getLogger("access")
_encode = json.JSONEncoder(default=str).encode


@contextmanager
def carrying(current: str, **ids: str) -> Iterator[None]:
    """Every line logged meanwhile has this request's id, these ids and those noted."""
    token, noted = request_id.set(current), _noted.set(ids)
    try:
        yield
    finally:
        _noted.reset(noted)
        request_id.reset(token)


def begin(current: str, **ids: str) -> None:
    """The same without an end, for what has none of its own: until it begins anew."""
    request_id.set(current)
    _noted.set(ids)


def note(**ids: str) -> None:
    """What this request turned out to be about: on each of its later lines, the last one too."""
    noted = _noted.get()
    if noted is not None:
        noted.update(ids)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    """The ids that hold now, and whatever `extra` was given."""
    current = request_id.get()
    facts: dict[str, Any] = {"request_id": current} if current else {}
    facts |= _noted.get() or {}
    return facts | {key: value for key, value in vars(record).items() if key not in NOT_SHOWN}


class ConsoleFormatter(logging.Formatter):
    """A line for a person: time, level, logger, message, then the facts in brackets."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # logging's name
        facts = " ".join(f"{key}={value}" for key, value in _facts(record).items())
        return super().formatMessage(record) + (f" [{facts}]" if facts else "")


class JsonFormatter(logging.Formatter):
    """A line of JSON: time, level, logger, message and the facts."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        event |= _facts(record)
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return _encode(event)


def logging_config(level: str, style: str) -> dict[str, Any]:
    """Django's LOGGING: everything to standard error, `style` json or console."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "chassis.logs.JsonFormatter"},
            "console": {"()": "chassis.logs.ConsoleFormatter"},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": style}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"level": level},
            # A client's mistake is no event of ours, nor is a task of each second.
            "django.request": {"level": max(level, "ERROR", key=logging.getLevelName)},
            "celery": {"level": max(level, "WARNING", key=logging.getLevelName)},
        },
    }


class RequestMiddleware:
    """Gives each request its id, answers with it, and logs the request when it has ended."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        current = given if ACCEPTABLE_ID.fullmatch(given) else uuid.uuid4().hex
        start = time.perf_counter()
        with carrying(current):
            response = self.get_response(request)
            response["X-Request-ID"] = current
            if isinstance(response, HttpResponse) and not response.has_header("Content-Length"):
                response["Content-Length"] = str(len(response.content))  # or it is sent in chunks
            is_routine = request.path_info.startswith(ROUTINE)
            log = access.debug if is_routine else access.info
            # The path only: a query string may hold what nobody should read in a log.
            log(
                "%s %s %s",
                request.method,
                request.path_info,
                response.status_code,
                extra={"ms": round((time.perf_counter() - start) * 1000, 1)},
            )
            return response
