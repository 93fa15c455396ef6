"""/metrics, for Prometheus: figures that are read from the database when they are asked for.

So they are right whichever process answers, and however many there are: docs/decisions/0012.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from django.conf import settings
from django.db.models import Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import Metric, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from chassis import api, sql
from chassis.clock import seconds_since
from chassis.tallies import BUCKETS, Totals

MOST_COUNTED = 20_000  # rows; a count ends here, so that it takes a moment however many there are
LOOKED_AT = 1000  # rows, the most urgent, among which the oldest is looked for

Families = Callable[[], Iterable[Metric]]


def endpoint(families: Families) -> URLPattern:
    """The path of a service whose metrics these are."""

    @require_safe
    def metrics(request: HttpRequest) -> HttpResponse:
        if not settings.METRICS_TOKEN and not settings.DEBUG:
            raise Http404
        given = request.headers.get("Authorization", "")
        if settings.METRICS_TOKEN and not constant_time_compare(
            given, f"Bearer {settings.METRICS_TOKEN}"
        ):
            return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
        try:
            text = generate_latest(_Collected(families()))
        except sql.UNAVAILABLE:
            return HttpResponse(status=503)
        return HttpResponse(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return api.endpoint("metrics", metrics, "metrics")


class _Collected:
    """What `generate_latest` reads in place of a registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self.families)


def counter(name: str, what: str, total: float) -> Metric:
    return CounterMetricFamily(name, what, value=total)


def counters(name: str, what: str, label: str, totals: Totals) -> Metric:
    """One for each value of a label."""
    family = CounterMetricFamily(name, what, labels=[label])
    for value, total in sorted(totals.items()):
        family.add_metric([value], total)
    return family


def gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)


def gauges(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    """One for each value of a label."""
    family = GaugeMetricFamily(name, what, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def histogram(name: str, what: str, totals: Totals) -> Metric:
    """Of what `tallies.spans` has counted."""
    up_to = accumulate(totals.get(edge, 0) for edge in BUCKETS)
    buckets = list(zip(BUCKETS, up_to, strict=True))
    return HistogramMetricFamily(name, what, buckets=buckets, sum_value=totals.get("sum", 0))


def counted(rows: "QuerySet[Any]") -> int:
    """How many there are, or MOST_COUNTED. The rows are read by the index of their order alone."""
    (column, *_) = rows.query.order_by
    return rows.values(column)[:MOST_COUNTED].count()


def oldest(rows: "QuerySet[Any]", column: str) -> float:
    """How many seconds ago the earliest time in a column was; 0 where there is none."""
    return max(rows.aggregate(age=Max(seconds_since(column)))["age"] or 0.0, 0.0)


def most_urgent(rows: "QuerySet[Any]") -> "QuerySet[Any]":
    """The first of the rows, in their order, to be searched for what no index finds."""
    return rows.model._default_manager.filter(pk__in=rows.values("pk")[:LOOKED_AT]).order_by()
