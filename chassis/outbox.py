"""The outbox: a row that is its own message to send, claimed, sent and recorded by whoever drains
it.

`due_at` is both schedule and lease. To claim a row is to move its `due_at` a lease ahead in one
statement, so that a sender that dies is followed by another; nothing stays locked while it sends.
`claims` only grows and is the fence: who records with an older number writes nothing. Every time
comes from the database's clock.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import Any, TypeVar

from django.db import connection, connections, models, transaction
from django.db.models import Q

from chassis import insertion
from chassis.clock import Now, as_time, now_sql, seconds_from_now_sql
from chassis.sql import Prepared, execute, whole
from chassis.worker import stopping

LEASE = 30.0  # seconds; longer than any send takes (chassis.http ends one after 10)
LOOK_AGAIN = (
    0.025  # seconds; longer than a bell keeps quiet, so that a coalesced ring is not missed
)
GATHER = 0.025  # seconds; rows that come faster than one at a time are worth a wait for more
DRAIN_SECONDS = 5.0


class Outbox(models.Model):
    """A row that is due to be sent once `due_at` has come; NULL: nothing will be sent."""

    due_at = models.DateTimeField(null=True, blank=True, db_default=Now())
    claims = models.PositiveIntegerField(default=0, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    last_error = models.CharField(max_length=255, blank=True, default="", editable=False)

    claimed_at: Any  # set by claim(): when, an aware datetime by the database's clock

    class Meta:
        abstract = True


TAKEN = Q(status__range=(200, 299))
# What few attempts are, for the index that finds these.
NOT_TAKEN = Q(status__lt=200) | Q(status__gt=299)
NO_ANSWER = Q(status__isnull=True)


class Attempt(models.Model):
    """One try to send a row: when, how long it took, and what came of it.

    The subclass adds the row's foreign key, without a database constraint: a row that is deleted
    while it is being sent must not break the insert of a whole batch.
    """

    at = models.DateTimeField()
    ms = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True)  # the HTTP status; NULL: no answer came
    error = models.CharField(max_length=255, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.status or self.error}"


Row = TypeVar("Row", bound=Outbox)


@dataclass(slots=True)
class Outcome:
    """What became of a claimed row.

    `due_in`: seconds until it is due again, None for never. `attempts`: its place in the schedule
    from now on. `changes`: further columns to write.
    """

    row: Outbox
    due_in: float | None
    attempts: int
    error: str = ""
    changes: dict[str, Any] = field(default_factory=dict)


def claim(rows: Prepared[Row], limit: int, **values: Any) -> list[Row]:
    """Take up to `limit` of the `rows` (their primary keys, ordered by urgency) for one lease, each
    counted as an attempt.
    """
    chosen, params, model = rows.sql(**values)
    table = connection.ops.quote_name(model._meta.db_table)
    columns, reader = whole(model, connection.vendor)
    chosen = f"{chosen} LIMIT {limit:d}"
    if connection.vendor == "postgresql":
        # An array is computed once; a plain IN may run the query for each row and take too many.
        condition = f"id = ANY(ARRAY({chosen} FOR UPDATE SKIP LOCKED))"
    else:
        condition = f"id IN ({chosen})"
    statement = (
        f"UPDATE {table} SET due_at = {seconds_from_now_sql(str(LEASE))}, "  # noqa: S608
        f"claims = claims + 1, attempts = attempts + 1 "
        f"WHERE {condition} RETURNING {columns}, {now_sql()}"
    )
    found = execute(statement, params)
    claimed: list[Row] = reader.read(raw[:-1] for raw in found)
    for row, raw in zip(claimed, found, strict=True):
        row.claimed_at = as_time(raw[-1])
    return claimed


def record(outcomes: Iterable[Outcome], attempts: Sequence[Attempt] = ()) -> None:
    """Write what became of claimed rows, and the attempts to send them, all or none.

    A row that has been claimed again, or deleted, since is left alone. On PostgreSQL it is one
    statement, and so a transaction by itself.
    """
    ordered = sorted(outcomes, key=lambda outcome: sorted(outcome.changes))
    writes = [
        _update_of(columns, list(alike))
        for columns, alike in groupby(ordered, key=lambda outcome: sorted(outcome.changes))
    ]
    if attempts:
        writes.append(insertion.statement_for(attempts))
    if connection.vendor == "postgresql" and writes:
        parts = ", ".join(f"part{number} AS ({sql})" for number, (sql, _) in enumerate(writes))
        writes = [(f"WITH {parts} SELECT", [value for _, values in writes for value in values])]
    with transaction.atomic() if len(writes) > 1 else nullcontext(), connection.cursor() as cursor:
        for statement, values in writes:
            cursor.execute(statement, values)


def _update_of(columns: list[str], outcomes: Sequence[Outcome]) -> tuple[str, list[Any]]:
    """The statement that writes outcomes which change the same columns, and its parameters."""
    model = type(outcomes[0].row)
    fields, marks = _written(
        model, ("id", "claims", "attempts", "last_error", *columns), connection.vendor
    )
    names = [f.column for f in fields]
    database = connections[connection.alias]  # not the proxy, which costs at each attribute
    values: list[Any] = []
    for outcome in outcomes:
        row: list[Any] = [outcome.row.pk, outcome.row.claims, outcome.attempts, outcome.error[:255]]
        row += [outcome.changes[name] for name in columns]
        values += [
            f.get_db_prep_save(value, database) for f, value in zip(fields, row, strict=True)
        ]
        values.append(outcome.due_in)
    table = connection.ops.quote_name(model._meta.db_table)
    statement = (  # names are our own, values are parameters
        f"WITH v ({', '.join(names)}, due_in) AS (VALUES {', '.join([marks] * len(outcomes))}) "  # noqa: S608
        f"UPDATE {table} AS t SET due_at = {seconds_from_now_sql('v.due_in')}, "
        f"{', '.join(f'{name} = v.{name}' for name in names[2:])} "
        "FROM v WHERE t.id = v.id AND t.claims = v.claims"
    )
    return statement, values


@cache
def _written(
    model: type[models.Model], names: tuple[str, ...], vendor: str
) -> tuple[list[Any], str]:
    """The fields of a recorded row, and their marks, followed by the one of `due_in`."""
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    types = [*(field.rel_db_type(connection) for field in fields), "float8"]
    typed = vendor == "postgresql"  # where nothing else tells it what a VALUES list holds
    return fields, f"({', '.join(f'%s::{each}' if typed else '%s' for each in types)})"


def drain(
    step: Callable[[], int | None],
    *,
    full: int,
    ring: Callable[[], bool],
    seconds: float = DRAIN_SECONDS,
) -> int:
    """Call `step`, which returns how many rows it handled, until it finds none; returns their sum.

    A step that returns None can't go on, and ends it: what it has not claimed stays due. Having
    found work it looks once more a moment later: rows whose ring was coalesced are there by then.
    When several came at once, but fewer than `full`, the next ones get a moment to gather, for a
    batch costs nearly the same however many are in it. After `seconds` it rings for whoever goes
    on, and ends; but where the broker is away nobody would, and it goes on itself.
    """
    end = time.monotonic() + seconds
    handled, looked_again = 0, False
    while not stopping.is_set():
        if time.monotonic() > end and ring():
            break
        found = step()
        if found is None:
            break
        handled += found
        if not found and (looked_again or not handled):
            break
        looked_again = not found
        if not found:
            stopping.wait(LOOK_AGAIN)
        elif 1 < found < full:
            stopping.wait(GATHER)
    return handled


def spread(seconds: float, share: float = 0.2) -> float:
    """`seconds`, up to `share` more or less, so that rows that failed together don't all come back
    at once.
    """
    return seconds * random.uniform(1 - share, 1 + share)  # noqa: S311  # not a secret
