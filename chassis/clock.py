"""The database's clock: the one that all processes of a service agree on, for queries and raw SQL.

SQLite compares times as text, and Django writes six decimals: so does this, where Django's own
`Now()` writes three and a time is not equal to itself.
"""

from datetime import datetime
from typing import Any

from django.db import connection, models
from django.db.models import functions

SQLITE = "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f000', 'NOW'{})"
TEMPLATE = SQLITE.replace("%%", "%%%%")  # a Func formats it once, and the cursor once more


class Now(functions.Now):
    """The time of the statement."""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template=TEMPLATE.format(""), **context)


class SecondsFromNow(models.Func):
    """The time of the statement plus a number of seconds; NULL for NULL."""

    output_field = models.DateTimeField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = TEMPLATE.format(", (%(expressions)s) || ' seconds'")
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "(STATEMENT_TIMESTAMP() + (%(expressions)s) * INTERVAL '1 second')"
        return self.as_sql(compiler, connection, template=template, **context)


class Seconds(models.Func):
    """A time as seconds since 1970."""

    output_field = models.FloatField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "DATE_PART('epoch', %(expressions)s)"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # A day's fraction is not exact; rounded, a full hour is one.
        template = "ROUND((JULIANDAY(%(expressions)s) - 2440587.5) * 86400.0, 3)"
        return self.as_sql(compiler, connection, template=template, **context)


def seconds_between(start: Any, end: Any) -> Any:
    return Seconds(end) - Seconds(start)


def seconds_since(column: str) -> Any:
    """How long ago the time in a column was."""
    return seconds_between(models.F(column), Now())


def as_time(value: Any) -> datetime:
    """A time that a statement written by hand has read: SQLite has no type of its own for it."""
    if isinstance(value, str):
        return datetime.fromisoformat(f"{value}+00:00")
    time: datetime = value
    return time


def now_sql() -> str:
    """`Now()` for a statement that is written by hand and executed with parameters."""
    return "STATEMENT_TIMESTAMP()" if connection.vendor == "postgresql" else SQLITE.format("")


def seconds_from_now_sql(seconds: str) -> str:
    """`SecondsFromNow` likewise, of an SQL expression."""
    if connection.vendor == "postgresql":
        return f"STATEMENT_TIMESTAMP() + {seconds} * INTERVAL '1 second'"
    return SQLITE.format(f", {seconds} || ' seconds'")
