"""The admin's lists of large tables: bounded pages, searches by an index, no full counts."""

import re
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet, UUIDField
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import escape, format_html
from django.utils.safestring import mark_safe
from unfold import utils as unfold_utils
from unfold.admin import ModelAdmin, checkbox
from unfold.decorators import display
from unfold.templatetags import unfold_list
from unfold.views import ChangeList

MOST_COUNTED = 10_000  # rows; a list ends there, and a search finds what is older
MOST_RELATED = 100  # rows of another table that a search looks through
ROWS_A_PAGE = 20  # to render one costs a millisecond
SHORTEST_UUID = 8  # characters of one that a search takes: as many as lists show


def short(value: Any, length: int = SHORTEST_UUID) -> str:
    """The beginning of a long value, for a list's column."""
    text = str(value)
    return text if len(text) <= length + 1 else f"{text[:length]}…"


def page_of(row: Model) -> str:
    """The address of a row's page in the admin."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_of(model: type[Model]) -> str:
    """The address of a model's list in the admin."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def link_to(row: Model, text: str) -> str:
    return format_html('<a class="underline" href="{}">{}</a>', page_of(row), text)


@lru_cache(maxsize=256)  # a list shows the same few in every row
def badge(text: str, colour: str) -> str:
    """A coloured label, on pages as in lists: unfold's own `label` is for lists alone."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colour})


def tick_box(value: Any) -> str:
    """The box that chooses a row for an action."""
    return mark_safe(_blank_box().replace("VALUE", escape(value)))  # noqa: S308  # it is escaped


@cache
def _blank_box() -> str:
    return checkbox.render(ACTION_CHECKBOX_NAME, "VALUE")


_headers_of_unfold = unfold_list.result_headers


def _headers(cl: ChangeList) -> list[Any]:
    if not hasattr(cl, "headers"):
        cl.headers = list(_headers_of_unfold(cl))
    return cl.headers  # type: ignore[no-any-return]


# unfold renders these anew for each row of a list; together they took a quarter of its page.
unfold_list.result_headers = _headers
unfold_utils._boolean_icon = cache(unfold_utils._boolean_icon)


class NewestPaginator(Paginator):
    """Pages of the first 10,000 rows: no page costs a count of the whole table, or a deep offset.

    The admin's change list takes `count` for the truth: it offers no page beyond.
    """

    template_name = "chassis/pagination.html"  # unfold's own name for it

    @cached_property
    def counted(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: MOST_COUNTED + 1].count()

    @cached_property
    def count(self) -> int:  # type: ignore[override]
        return min(self.counted, MOST_COUNTED)

    @property
    def is_cut(self) -> bool:
        return self.counted > MOST_COUNTED


def exactly(model: type[Model], path: str, term: str) -> Q:
    """The rows whose column at `path` is `term` (of a UUID: begins with it), by its index.

    Another table is asked apart: an OR over a join would read both from end to end.
    """
    name, _, rest = path.partition("__")
    field: Any = model._meta.get_field(name)
    if rest:
        matching = exactly(field.related_model, rest, term)
        related = field.related_model._default_manager.filter(matching)
        ours, theirs = (name, "pk") if field.concrete else ("pk", field.field.attname)
        found = related.values_list(theirs, flat=True)[:MOST_RELATED]
        return Q(**{f"{ours}__in": list(found)})
    if isinstance(field, UUIDField):
        digits = term.replace("-", "").lower()
        if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST_UUID},32}}", digits):
            return Q(pk__in=[])
        return Q(**{f"{name}__range": (UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f")))})
    try:
        return Q(**{name: field.to_python(term)})
    except ValidationError:
        return Q(pk__in=[])


class NewestList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count  # else a link offers to show them all


class ListAdmin(ModelAdmin):
    """A list whose page is rendered in little time."""

    list_per_page = list_max_show_all = ROWS_A_PAGE
    list_disable_select_all = True  # an action is for rows that were seen

    @display(description=ModelAdmin.action_checkbox.short_description)
    def action_checkbox(self, obj: Model) -> str:
        return tick_box(self.id_of(obj))

    def id_of(self, row: Any) -> Any:
        """What stands for a row in a form."""
        return row.pk

    def label_of(self, row: Any) -> str:
        """A row in one line, where it is chosen or logged."""
        return str(row)


class LargeTableAdmin(ListAdmin):
    """A list that costs the same however many rows there are: newest first, found by whole values.

    No sorting by a click, since few columns have an index.
    """

    ordering: tuple[str, ...] = ("-id",)
    paginator = NewestPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    sortable_by = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.replace("\x00", "").strip()
        return (queryset.filter(self.matching(term)) if term else queryset), False

    def matching(self, term: str) -> Q:
        found = Q(pk__in=[])
        for path in self.search_fields:
            found |= exactly(self.model, path, term)
        return found
