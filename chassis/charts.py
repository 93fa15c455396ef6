"""How many rows came over the last day, by what became of them: a chart from one grouped query.

It looks at the newest rows alone, so that it costs the same however many there are.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import QuerySet, Value
from django.db.models.functions import Floor
from django.utils import timezone

from chassis.clock import Seconds

NEWEST = 10_000  # rows; lists end there too
DAY = timedelta(days=1)
STEPS = (1, 10, 60, 300, 900, 3600)  # seconds that a bar may stand for
BARS = 25  # at most

COLOURS = {  # those of badges
    "info": "#3b82f6",
    "primary": "#a855f7",
    "success": "#16a34a",
    "warning": "#f59e0b",
    "danger": "#dc2626",
}


@dataclass(frozen=True)
class Window:
    """The newest rows of a table by a time that grows with its key: a day's, or fewer where these
    are many.
    """

    rows: "QuerySet[Any]"
    column: str  # the time's
    start: datetime
    is_cut: bool

    @classmethod
    def of(cls, model: type[models.Model], column: str = "created_at") -> "Window":
        newest_first = model._default_manager.order_by("-pk")
        newest = newest_first.values_list("pk", flat=True).first() or 0
        # By the key: however many rows came at one time, it bounds them.
        older = newest_first.filter(pk__lte=newest - NEWEST).values_list(column, flat=True)
        day = timezone.now() - DAY
        start = max(older.first() or day, day)
        rows = newest_first.filter(pk__gt=newest - NEWEST, **{f"{column}__gte": start})
        return cls(rows, column, start, start > day)

    @property
    def note(self) -> str:
        return f"the newest {NEWEST:,}" if self.is_cut else "the last 24 hours"


@dataclass(frozen=True)
class Chart:
    """Bars, one on the other: a span of time each, by the value of a column."""

    title: str
    note: str
    labels: list[str]
    series: dict[str, list[int]]
    colours: dict[str, str]

    @classmethod
    def of(cls, window: Window, column: str, *, title: str, colours: Mapping[Any, str]) -> "Chart":
        """`colours`: the values of the column, and the colour of each as on its badge."""
        start, now = window.start.timestamp(), timezone.now().timestamp()
        step = next((step for step in STEPS if step * (BARS - 1) >= now - start), STEPS[-1])
        first = int(start // step)
        bars = range(first, int(now // step) + 1)
        series = {str(value): [0] * len(bars) for value in colours}
        rows = window.rows.order_by().annotate(bar=Floor(Seconds(window.column) / Value(step)))
        grouped = rows.values_list("bar", column).annotate(count=models.Count("pk"))
        for at, value, count in grouped:
            if int(at) in bars:  # the database's clock may be another than this one
                series[value][int(at) - first] = count
        form = "%H:%M:%S" if step < 60 else "%H:%M"
        labels = [datetime.fromtimestamp(at * step, UTC).strftime(form) for at in bars]
        names = {str(value): colour for value, colour in colours.items()}
        return cls(title, window.note, labels, series, names)

    @property
    def legend(self) -> list[tuple[str, str, str]]:
        """Each value with its colour and how many it has in all."""
        return [
            (name, self.colours[name], f"{sum(counts):,}") for name, counts in self.series.items()
        ]

    @property
    def rows(self) -> list[tuple[str, list[int]]]:
        """As a table, for who can't see the bars: the newest first, no empty ones."""
        columns = zip(*self.series.values(), strict=True)
        rows = zip(self.labels, map(list, columns), strict=True)
        return [row for row in rows if any(row[1])][::-1]

    @property
    def data(self) -> str:
        """For unfold's component."""
        datasets = [
            {"label": name, "data": counts, "backgroundColor": COLOURS[self.colours[name]]}
            for name, counts in self.series.items()
        ]
        return json.dumps({"labels": self.labels, "datasets": datasets})

    @property
    def options(self) -> str:
        ticks = {"color": "#7a8290", "maxRotation": 0}  # that colour is read on light and on dark
        scales = {
            "x": {"stacked": True, "grid": {"display": False}, "ticks": ticks},
            "y": {"stacked": True, "ticks": {**ticks, "precision": 0}},
        }
        plugins = {"legend": {"display": False}}
        return json.dumps(
            {"animation": False, "maintainAspectRatio": False, "plugins": plugins, "scales": scales}
        )
