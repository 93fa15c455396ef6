"""Statements compiled once, for the few that every order needs.

Django compiles a query each time it is used, which costs more than a short query itself: 0.9 ms
for a token's user, against 0.25 ms here. What is written with the ORM stays written with the ORM;
its SQL is kept.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import (
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    connections,
    models,
)

Row = TypeVar("Row", bound=models.Model)

# What says nothing of the statement: the database is away, busy, or takes no writes for now, as one
# that is to take over does (PostgreSQL's class 25, an InternalError).
UNAVAILABLE = (OperationalError, InterfaceError, InternalError)


class Prepared(Generic[Row]):
    """A query of one model whose SQL is kept.

    `build` makes the queryset of a value for each of its parameters; it is called once, with the
    `examples`. These must differ from each other and from all else in the query.
    """

    def __init__(self, build: "Callable[..., models.QuerySet[Row]]", **examples: Any) -> None:
        self.build = build
        self.examples = examples
        # Once a database: a test may use another one than the settings'.
        self.compiled = functools.cache(self._compile)

    def __call__(self, **values: Any) -> list[Row]:
        """The rows, for these values of the parameters."""
        sql, params, reader = self.compiled(connection.vendor)
        return reader.read(execute(sql, _filled(params, values)))

    def one(self, **values: Any) -> Row | None:
        return next(iter(self(**values)), None)

    def sql(self, **values: Any) -> "tuple[str, tuple[Any, ...], type[Row]]":
        """The statement for these values, its parameters, and the model of its rows."""
        sql, params, reader = self.compiled(connection.vendor)
        return sql, _filled(params, values), reader.model

    def _compile(self, vendor: str) -> "tuple[str, tuple[Any, ...], Reader[Row]]":
        queryset = self.build(**self.examples)
        compiler = queryset.query.get_compiler(connection.alias)
        sql, params = compiler.as_sql()
        names = {_adapted(value): name for name, value in self.examples.items()}
        kept = [_Parameter(names[p]) if p in names else p for p in params]
        if connection.vendor == "postgresql":
            sql, kept = _with_constants(sql, kept)
        missing = set(self.examples) - {p.name for p in kept if isinstance(p, _Parameter)}
        if missing:
            raise ValueError(f"not found again in the SQL: {missing}")
        columns = [column for column, _, _ in compiler.select]
        annotated = {position: name for name, position in compiler.annotation_col_map.items()}
        attributes = [
            annotated.get(position) or column.target.attname
            for position, column in enumerate(columns)
        ]
        return sql, tuple(kept), Reader(queryset.model, columns, attributes)


def execute(
    statement: str, params: Sequence[Any], *, prepared: bool = True
) -> list[tuple[Any, ...]]:
    """Execute a statement, and answer its rows; it is `prepared` where its text stays the same.

    On PostgreSQL that one is planned once a connection, for any values of the parameters. So what
    a partial index depends on must be in its text.
    """
    database: Any = connections[connection.alias]
    with database.cursor() as cursor:
        if prepared and database.vendor == "postgresql":
            statement = database.prepared(statement)
        cursor.execute(statement, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _with_constants(sql: str, params: list[Any]) -> tuple[str, list[Any]]:
    """The statement with all those parameters in its text that are none of ours."""
    first, *rest = sql.split("%s")
    with connection.cursor() as cursor:
        for param, text in zip(params, rest, strict=True):
            ours = isinstance(param, _Parameter)
            first += "%s" if ours else cursor.mogrify("%s", [param]).decode().replace("%", "%%")
            first += text
    return first, [param for param in params if isinstance(param, _Parameter)]


class Reader(Generic[Row]):
    """Makes rows of a model from those of a cursor, as the ORM does: `columns` are the expressions
    that were selected, `attributes` what they become.
    """

    def __init__(self, model: type[Row], columns: Sequence[Any], attributes: Sequence[str]) -> None:
        self.model, self.attributes = model, attributes
        fields = {field.attname for field in model._meta.concrete_fields}
        self.own = sum(attribute in fields for attribute in attributes)  # these come first
        self.converters = [
            (position, convert, column)
            for position, column in enumerate(columns)
            for convert in (
                *connection.ops.get_db_converters(column),
                *column.get_db_converters(connection),
            )
        ]

    def read(self, rows: Iterable[Sequence[Any]]) -> list[Row]:
        found = []
        own, added = self.attributes[: self.own], self.attributes[self.own :]
        for raw in rows:
            values = self.values(raw)
            row = self.model.from_db(connection.alias, own, values[: self.own])
            for name, value in zip(added, values[self.own :], strict=True):
                setattr(row, name, value)
            found.append(row)
        return found

    def values(self, raw: Sequence[Any]) -> list[Any]:
        """The values of one row of a cursor, as the ORM reads them."""
        values = list(raw)
        for position, convert, column in self.converters:
            values[position] = convert(values[position], column, connection)
        return values


@functools.cache
def whole(model: type[Row], vendor: str) -> "tuple[str, Reader[Row]]":
    """The columns of a model for a RETURNING clause, and how its rows are read from them."""
    return columns(model, model._meta.concrete_fields)


def columns(model: type[Row], fields: Sequence[Any]) -> "tuple[str, Reader[Row]]":
    """The same for some of its fields."""
    names = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    selected = [field.get_col(model._meta.db_table) for field in fields]
    return names, Reader(model, selected, [field.attname for field in fields])


def _filled(params: tuple[Any, ...], values: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(_adapted(values[p.name]) if isinstance(p, _Parameter) else p for p in params)


def _adapted(value: Any) -> Any:
    native = connection.features.has_native_uuid_field
    return value.hex if isinstance(value, UUID) and not native else value


class _Parameter:
    def __init__(self, name: str) -> None:
        self.name = name


def by_keys(model: type[Row], keys: Sequence[Any]) -> dict[Any, Row]:
    """The rows of these primary keys, by their key; keys that are not there are left out."""
    if not keys:
        return {}
    names, reader = whole(model, connection.vendor)
    table = connection.ops.quote_name(model._meta.db_table)
    field: Any = model._meta.pk
    key = connection.ops.quote_name(field.column)
    marks = ", ".join(["%s"] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {names} FROM {table} WHERE {key} IN ({marks})", keys)  # noqa: S608
        return {row.pk: row for row in reader.read(cursor.fetchall())}
