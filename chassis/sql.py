"""Statements compiled once, for the few that every order needs.

Django compiles a query each time it is used, which costs more than a short query itself: 0.9 ms
for a token's user, against 0.25 ms here. What is written with the ORM stays written with the ORM;
its SQL is kept.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connection, models

Row = TypeVar("Row", bound=models.Model)


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

    def __call__(self, **values: Any) -> "Iterable[Row]":
        """The rows, for these values of the parameters."""
        sql, params, model = self.sql(**values)
        return model._default_manager.raw(sql, params)

    def one(self, **values: Any) -> Row | None:
        return next(iter(self(**values)), None)

    def sql(self, **values: Any) -> "tuple[str, tuple[Any, ...], type[Row]]":
        """The statement for these values, its parameters, and the model of its rows."""
        sql, params, model = self.compiled(connection.vendor)
        filled = (_adapted(values[p.name]) if isinstance(p, _Parameter) else p for p in params)
        return sql, tuple(filled), model

    def _compile(self, vendor: str) -> "tuple[str, tuple[Any, ...], type[Row]]":
        queryset = self.build(**self.examples)
        sql, params = queryset.query.sql_with_params()
        names = {_adapted(value): name for name, value in self.examples.items()}
        kept = [_Parameter(names[p]) if p in names else p for p in params]
        missing = set(self.examples) - {p.name for p in kept if isinstance(p, _Parameter)}
        if missing:
            raise ValueError(f"not found again in the SQL: {missing}")
        return sql, tuple(kept), queryset.model


def _adapted(value: Any) -> Any:
    native = connection.features.has_native_uuid_field
    return value.hex if isinstance(value, UUID) and not native else value


class _Parameter:
    def __init__(self, name: str) -> None:
        self.name = name


def insert(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model in one statement, without signals.

    What the database fills in, their keys and its defaults, is set on them.
    """
    if not rows:
        return
    beginning, given, filled = _insertion(type(rows[0]), connection.vendor)
    values = [
        field.get_db_prep_save(getattr(row, field.attname), connection)
        for row in rows
        for field in given
    ]
    one = f"({', '.join(['%s'] * len(given))})"
    names = ", ".join(field.name for field in filled)
    statement = f"{beginning} VALUES {', '.join([one] * len(rows))} RETURNING {names}"
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        for row, found in zip(rows, cursor.fetchall(), strict=True):
            for field, value in zip(filled, found, strict=True):
                setattr(row, field.attname, field.read(value))
            row._state.adding, row._state.db = False, connection.alias


@functools.cache
def _insertion(model: type[models.Model], vendor: str) -> "tuple[str, list[Any], list[_Filled]]":
    """The statement's beginning, the fields that are given and those that the database fills in."""
    filled = [
        f
        for f in model._meta.concrete_fields
        if f.primary_key or (f.has_db_default() and not f.has_default())
    ]
    given = [f for f in model._meta.concrete_fields if f not in filled]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in given)
    beginning = f"INSERT INTO {quote(model._meta.db_table)} ({columns})"
    return beginning, given, [_Filled(field) for field in filled]


class _Filled:
    """A field that the database fills in: its quoted name, and how the ORM reads its value."""

    def __init__(self, field: Any) -> None:
        self.attname, self.name = field.attname, connection.ops.quote_name(field.column)
        self.column = field.get_col(field.model._meta.db_table)
        self.converters = [
            *connection.ops.get_db_converters(self.column),
            *self.column.get_db_converters(connection),
        ]

    def read(self, value: Any) -> Any:
        for convert in self.converters:
            value = convert(value, self.column, connection)
        return value
