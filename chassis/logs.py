"""Logs: one JSON line an event, or plain text in development, each with the request's id.

The id comes from the `X-Request-ID` header, or is made here, and goes along with the calls between
the services.
"""

import json
import logging
import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

request_id: ContextVar[str] = ContextVar("request_id", default="")

ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

access = logging.getLogger("access")


class JsonFormatter(logging.Formatter):
    """A line of JSON: time, level, logger, message, request_id and whatever `extra` was given."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if current := request_id.get():
            event["request_id"] = current
        event |= {key: value for key, value in vars(record).items() if key not in STANDARD}
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str)


def logging_config(level: str, style: str) -> dict[str, Any]:
    """Django's LOGGING: everything to standard error, `style` json or console."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "chassis.logs.JsonFormatter"},
            "console": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
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
        token, start = request_id.set(current), time.perf_counter()
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = current
            if isinstance(response, HttpResponse) and not response.has_header("Content-Length"):
                response["Content-Length"] = str(len(response.content))  # or it is sent in chunks
            log = access.debug if request.path_info.startswith("/health/") else access.info
            # The path only: a query string may hold what nobody should read in a log.
            log(
                "%s %s %s",
                request.method,
                request.path_info,
                response.status_code,
                extra={"ms": round((time.perf_counter() - start) * 1000, 1)},
            )
            return response
        finally:
            request_id.reset(token)
