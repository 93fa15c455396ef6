"""What the endpoints of both services share: paths, pages and filters."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.core.validators import RegexValidator
from django.db.models import QuerySet
from django.urls import URLPattern
from django.urls.resolvers import RoutePattern
from rest_framework import exceptions
from rest_framework.metadata import BaseMetadata
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import CursorPagination
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

MANY = {"get": "list", "post": "create"}
ONE = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
PART_OF_ADDRESS = RegexValidator("^[^/]+$", "It is part of an address: no slash.")
ANYTHING = ("*/*", "application/json")  # what clients accept as a rule


class TolerantRoute(RoutePattern):
    """Matches with its last slash missing or added, so that no call is redirected and loses its
    body.
    """

    def __init__(self, route: str, name: str) -> None:
        super().__init__(route, name=name, is_endpoint=True)
        self.bare = RoutePattern(route.removesuffix("/"), is_endpoint=True)

    def match(self, path: str) -> Any:
        if "\x00" in path:  # no row is called so, and PostgreSQL takes none in a parameter
            return None
        return self.bare.match(path.removesuffix("/"))


def endpoint(route: str, view: Callable[..., Any], name: str) -> URLPattern:
    """Like django.urls.path, with either ending."""
    return URLPattern(TolerantRoute(route, name), view, None, name)


class Negotiation(DefaultContentNegotiation):
    """Django REST framework's, without its work where the answer is plain."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        accepted = request.META.get("HTTP_ACCEPT", "*/*")
        if accepted in ANYTHING and first.media_type == "application/json":
            return first, first.media_type
        found: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
        return found


def validated(serializer: type[Serializer[Any]], data: Any, **options: Any) -> Any:
    """What a request's body says, checked by a serializer made with `options`. Raises
    ValidationError.

    The serializer is kept: making its fields anew for each request costs as much as their checks.
    """
    if data is None:  # `null`: an error of the whole, which only a serializer with data knows
        serializer(data=data, **options).is_valid(raise_exception=True)
    return _kept(serializer, **options).run_validation(data)


@cache
def _kept(serializer: type[Serializer[Any]], **options: Any) -> Serializer[Any]:
    return serializer(**options)


class NoMetadata(BaseMetadata):
    """OPTIONS tells which methods there are, in its Allow header, and nothing else."""

    def determine_metadata(self, request: Request, view: Any) -> dict[str, Any]:
        return {}


class NotACursor(exceptions.ValidationError):
    def __init__(self) -> None:
        super().__init__({"cursor": "Not a cursor of this list."})


def _aware(text: str) -> datetime:
    """A time with its zone, that every database takes. Raises ValueError or OverflowError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(text)
    return time.astimezone(UTC)


class NewestFirst(CursorPagination):
    """`{next, previous, results}`, by falling id: no count, and a page costs the same however far
    it is.

    A view names the column of its `created` filters in `span_of`: where one is used, rows come by
    that time, whose index finds the end of the span; by the id all newer rows would be read first.
    """

    ordering: tuple[str, ...] = ("-id",)
    spans = ("created_after", "created_before")
    page_size = 25
    max_page_size = 100
    page_size_query_param = "page_size"

    def get_page_size(self, request: Request) -> int:
        wanted = request.query_params.get("page_size", "")
        if not wanted:
            return self.page_size
        if not (wanted.isascii() and wanted.isdigit() and int(wanted[:9]) > 0):
            raise exceptions.ValidationError(
                {"page_size": "A whole number from 1 to 100 is needed."}
            )
        return min(int(wanted[:9]), self.max_page_size)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        by_time = any(request.query_params.get(span) for span in self.spans)
        return (f"-{view.span_of}", "-id") if by_time and hasattr(view, "span_of") else ("-id",)

    def decode_cursor(self, request: Request) -> Any:
        if not request.query_params.get(self.cursor_query_param):
            return None
        try:
            cursor: Any = super().decode_cursor(request)
            if cursor.position is not None:
                read = int if self.ordering[0] == "-id" else _aware
                read(cursor.position)
        except (exceptions.NotFound, ValueError, OverflowError) as error:
            raise NotACursor() from error
        if not any(cursor):  # decoded to nothing that it knows
            raise NotACursor()
        return cursor

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"next": self.get_next_link(), "previous": self.get_previous_link(), "results": data}
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A page in the OpenAPI document."""
        link = {
            "type": ["string", "null"],
            "format": "uri",
            "description": "The URL of the page of older ones; null on the last.",
            "example": None,
        }
        back = {**link, "description": "The URL of the page of newer ones; null on the first."}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": back, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """A list's parameters in the OpenAPI document."""
        size = {"type": "integer", "minimum": 1, "default": self.page_size}
        return [
            {
                "name": self.cursor_query_param,
                "in": "query",
                "description": "As `next` and `previous` have it.",
                "schema": {"type": "string"},
            },
            {
                "name": self.page_size_query_param,
                "in": "query",
                "description": f"How many in a page; at most {self.max_page_size} are given.",
                "schema": size,
            },
        ]


def filtered(
    request: Request, filters: type[Serializer[Any]], rows: QuerySet[Any]
) -> QuerySet[Any]:
    """The rows that the query string asks for; a filter's `source` is the look-up. ValidationError
    where one is bad.
    """
    return rows.filter(
        **validated(filters, {k: v for k, v in request.query_params.items() if v != ""})
    )
