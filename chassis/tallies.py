"""Totals that only grow, for metrics: each row of a table is counted once, a while after it came.

A count over a whole table takes longer with every row, and falls when rows are pruned. So a total
is kept, and what has come since is added to it whenever somebody asks. Rows are told apart by their
keys; a smaller key may be committed after a larger one, so those are counted that could be seen a
while ago.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction
from django.db.models import Case, Count, Max, Sum, Value, When
from django.db.models.functions import Abs, Greatest

from chassis.clock import Now, seconds_since

SETTLE_SECONDS = 5.0  # longer than from an insert to its commit
AT_ONCE = 10_000  # rows of a source that one call counts; the rest is for the next
EDGES = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86400.0)  # seconds
LONGER = "+Inf"
BUCKETS = [*map(str, EDGES), LONGER]

Totals = Mapping[str, float]


class Tally(models.Model):
    """What was counted of one source's rows. Each service has its own table."""

    source = models.CharField(max_length=32, primary_key=True)
    counted = models.BigIntegerField()  # the totals have the rows up to this key
    seen = models.BigIntegerField()  # those up to this one are counted next
    seen_at = models.DateTimeField(db_default=Now())
    totals = models.JSONField(default=dict)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.source


@dataclass(frozen=True)
class Source:
    """Rows of one table, and how some of them are summed up: numbers by name, in one part or more.

    What `sum_up` leaves out of its rows is never counted.
    """

    name: str
    model: type[models.Model]
    sum_up: "Callable[[models.QuerySet[Any]], Mapping[str, Totals]]"

    def newest(self) -> int:
        return self.model._default_manager.aggregate(newest=Max("pk"))["newest"] or 0


@transaction.atomic
def count_up(tallies: type[Tally], sources: Iterable[Source]) -> defaultdict[str, Totals]:
    """The totals by part of all the sources, with what has settled since they were asked last.

    What came before the first call is not in them.
    """
    newest = {source.name: source.newest() for source in sources}
    rows = tallies._default_manager
    locked = rows.select_for_update().annotate(age=Abs(seconds_since("seen_at")))
    known: dict[str, Any] = {tally.source: tally for tally in locked.order_by("source")}
    totals: defaultdict[str, Totals] = defaultdict(dict)
    for source in sources:
        tally = known.get(source.name)
        if tally is None:
            first = newest[source.name]
            tally = tallies(source=source.name, counted=first, seen=first)
            rows.bulk_create([tally], ignore_conflicts=True)
        elif tally.age >= SETTLE_SECONDS:
            _count(tally, source)
            if tally.counted == tally.seen:
                tally.seen, tally.seen_at = max(tally.seen, newest[source.name]), Now()
            tally.save()
        totals |= tally.totals
    return totals


def _count(tally: Tally, source: Source) -> None:
    if tally.seen == tally.counted:
        return
    rows = source.model._default_manager.filter(pk__gt=tally.counted, pk__lte=tally.seen)
    last = tally.seen
    if last > tally.counted + AT_ONCE:  # keys, and there may be far fewer rows
        keys = rows.order_by("pk").values_list("pk", flat=True)
        last = next(iter(keys[AT_ONCE - 1 : AT_ONCE]), last)
    for part, found in source.sum_up(rows.filter(pk__lte=last).order_by()).items():
        tally.totals[part] = dict(Counter(tally.totals.get(part, {})) + Counter(found))
    tally.counted = last


def by(rows: "models.QuerySet[Any]", column: str) -> Totals:
    """How many rows there are of each value of a column; NULL is `none`."""
    grouped = rows.values_list(column).annotate(rows=Count("pk"))
    return {str(value if value is not None else "none"): count for value, count in grouped}


def spans(rows: "models.QuerySet[Any]", column: str, seconds: Any) -> tuple[Totals, Totals]:
    """The same as `by`, and for a histogram how many took up to each of the EDGES and longer than
    the one before, by that edge, and the `sum` of all. In one query.
    """
    took = rows.annotate(took=Greatest(seconds, 0.0))
    names = [When(took__lte=edge, then=Value(str(edge))) for edge in EDGES]
    edge = Case(*names, default=Value(LONGER), output_field=models.CharField())
    grouped = took.annotate(edge=edge).values_list(column, "edge")
    values: Counter[str] = Counter()
    durations: Counter[str] = Counter()
    for value, name, count, total in grouped.annotate(Count("pk"), Sum("took")):
        values[str(value)] += count
        durations.update({name: count, "sum": total})
    return values, durations
