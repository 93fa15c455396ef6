"""Errors of the API as `application/problem+json` (RFC 9457), whoever raised them.

`{"type", "title", "status", "detail", "errors": [{"field", "message", "code"}]}`; `errors` is there
for invalid input only.
"""

import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_standardized_errors.formatter import ExceptionFormatter, flatten_errors
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import Error, ErrorResponse
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.settings import api_settings

from chassis import sql
from chassis.bodies import TooLarge

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER = 2  # seconds


def problem(
    status_code: int, detail: str = "", errors: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The body of an error answer."""
    phrase = HTTPStatus(status_code).phrase
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": phrase,
        "status": status_code,
        "detail": detail or phrase,
    }
    if errors is not None:
        body["errors"] = errors
    return body


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "The resource's state does not allow this."
    default_code = "conflict"


class KeyReused(exceptions.APIException):
    """An idempotency key, or a message id, came again with something else."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"


class Unavailable(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The database can't be reached or is busy. Nothing was changed; try again."
    default_code = "unavailable"
    wait = RETRY_AFTER


class Formatter(ExceptionFormatter):
    def get_errors(self) -> list[Error]:
        detail = self.exc.detail
        # The errors of a list come by number, and its number 0 would be taken for none.
        if isinstance(detail, dict):
            detail = {str(name): errors for name, errors in detail.items()}
        return list(flatten_errors(detail))

    def format_error_response(self, error_response: ErrorResponse) -> dict[str, Any]:
        found = error_response.errors
        # A list where the input's parts are to blame; elsewhere one sentence says it all.
        by_field = isinstance(self.exc, exceptions.ValidationError) or any(e.attr for e in found)
        errors = [
            {"field": _field(e.attr or ""), "message": e.detail, "code": e.code} for e in found
        ]
        detail = "The input is not valid; `errors` says where." if by_field else found[0].detail
        return problem(self.exc.status_code, detail, errors if by_field else None)


def _field(path: str) -> str:
    """`items`, where the whole list is at fault, and not `items.non_field_errors`."""
    return path.removesuffix(api_settings.NON_FIELD_ERRORS_KEY).rstrip(".")


class Handler(ExceptionHandler):
    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if isinstance(exc, sql.UNAVAILABLE):
            logger.warning("database not available: %s", exc)
            return Unavailable()
        if isinstance(exc, RequestDataTooBig):
            return TooLarge()
        return super().convert_known_exceptions(exc)

    def should_not_handle(self, exc: Exception) -> bool:
        return False  # the API answers alike with DEBUG on

    def format_exception(self, exc: exceptions.APIException) -> dict[str, Any]:
        return Formatter(exc, self.context, self.exc).run()  # type: ignore[no-any-return]

    def get_response(self, exc: exceptions.APIException, data: dict[str, Any]) -> Response:
        return Response(
            data, status=exc.status_code, headers=self.get_headers(exc), content_type=CONTENT_TYPE
        )


def exception_handler(exc: Exception, context: Any) -> Response | None:
    """Django REST framework's EXCEPTION_HANDLER."""
    return Handler(exc, context).run()


class ProblemMiddleware:
    """Turns Django's own error pages under /api/ (an unknown path, say) into problems.

    A host that the service is not reached by is refused before anything is done: an answer with a
    link in it would fail after the work.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/api/"):
            return self.get_response(request)
        try:
            request.get_host()
        except DisallowedHost:
            return _answer(400, "The service is not reached by this host name.")
        response = self.get_response(request)
        if response.status_code < 400:
            return response
        if response.headers.get("Content-Type", "").startswith(CONTENT_TYPE):
            return response
        detail = "There is nothing at this path." if response.status_code == 404 else ""
        answer = _answer(response.status_code, detail)
        if "Allow" in response.headers:  # a 405 must say what is taken
            answer["Allow"] = response.headers["Allow"]
        return answer


def _answer(status_code: int, detail: str) -> HttpResponse:
    body = json.dumps(problem(status_code, detail))
    return HttpResponse(body, status=status_code, content_type=CONTENT_TYPE)
