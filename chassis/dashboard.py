"""What the admin's first page is made of: figures, a chart, tables. Each service fills them.

The page costs the same however many rows there are: a count ends at a limit, and what is read for a
percentile is a sample. It says so where it cut.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.utils import timezone

from chassis.admin_lists import list_of
from chassis.charts import Chart

MOST_COUNTED = 1000
MOST_SHOWN = 5  # rows of a table
SAMPLE = 500  # of the newest, for a percentile
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True)
class Figure:
    """One number, what it means and, in a word and a colour, how good that is."""

    title: str
    value: str
    note: str = ""
    verdict: str = ""
    colour: str = "success"  # of the verdict
    href: str = ""  # where the rows are that it is about

    @property
    def is_bad(self) -> bool:
        return bool(self.verdict) and self.colour != "success"


@dataclass(frozen=True)
class Row:
    cells: Sequence[Any]
    press: str = ""  # the URL that its button posts to
    about: str = ""  # what that button is about, for who only hears its name


@dataclass(frozen=True)
class Table:
    title: str
    headers: Sequence[str]
    rows: Sequence[Row]
    empty: str  # what is said where there are none
    button: str = ""

    @property
    def lines(self) -> list[tuple[Row, list[tuple[str, Any]]]]:
        """Each row with its cells, each with its header: on a phone a row is a list."""
        return [(row, list(zip(self.headers, row.cells, strict=True))) for row in self.rows]


@dataclass(frozen=True)
class Dashboard:
    figures: Sequence[Figure]
    chart: Chart
    tables: Sequence[Table]
    searched: type[Model]  # whose list is searched from here
    at: datetime = field(default_factory=timezone.now)

    @property
    def search(self) -> str:
        return list_of(self.searched)

    @property
    def search_for(self) -> str:
        return str(admin.site.get_model_admin(self.searched).search_help_text)

    @property
    def bad(self) -> list[Figure]:
        return [figure for figure in self.figures if figure.is_bad]


def bounded(rows: "QuerySet[Any]") -> "QuerySet[Any]":
    """The first of them: as many as are counted."""
    return rows[: MOST_COUNTED + 1]


def counted(rows: "QuerySet[Any]") -> int:
    """How many there are, or one more than MOST_COUNTED."""
    return bounded(rows).count()


def number(count: int) -> str:
    return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}"


def keys_of(rows: "QuerySet[Any]") -> list[Any]:
    """The keys of as many as `counted` counts, the highest first: the newest, where they are few
    enough.
    """
    return sorted(bounded(rows.values_list("pk", flat=True)), reverse=True)


def first_of(rows: "QuerySet[Any]") -> "QuerySet[Any]":
    """The first rows alone, by the order that their index has, for a further condition or order
    that no index helps with.
    """
    # Two queries: of one, PostgreSQL has walked the whole table by its key.
    return rows.model._default_manager.filter(pk__in=keys_of(rows))


def percentile(values: Sequence[float], share: float) -> float | None:
    """Of sorted values; None of none."""
    return values[min(int(len(values) * share), len(values) - 1)] if values else None


def percentiles(title: str, values: Iterable[float], what: str, within: str) -> list[Figure]:
    """Of times in seconds, in any order; `what` they are, and `within` which window."""
    ordered = sorted(values)
    note = (
        f"the newest {len(ordered):,} {what} of {within}" if ordered else f"none {what} in {within}"
    )
    return [
        Figure(f"{title}, {name}", duration(percentile(ordered, share)), note)
        for name, share in (("p50", 0.5), ("p95", 0.95))
    ]


def how_late(seconds: float | None, *, slow: float, stuck: float) -> tuple[str, str]:
    """A verdict and its colour; None: nothing waits."""
    if seconds is None or seconds < slow:
        return "on time", "success"
    return ("late", "warning") if seconds < stuck else ("stuck", "danger")


def duration(seconds: float | None) -> str:
    """In two units at most: `348 ms`, `4.2 s`, `1 min 15 s`, `3 d 1 h`."""
    if seconds is None:
        return "–"
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    (size, unit), (smaller, rest) = next(
        two for two in pairwise(UNITS) if round(seconds) >= two[0][0]
    )
    whole, left = divmod(round(seconds), size)
    return f"{whole} {unit} {left // smaller} {rest}"
