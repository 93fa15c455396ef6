"""Inserting rows without the ORM's machinery, for the few that every order needs.

What a model's fields make of a value is theirs still; signals are not sent.
"""

import functools
from collections.abc import Sequence
from typing import Any

from django.db import connection, connections, models, transaction

from chassis import sql

# Children with whom a statement is kept prepared: there is one for each number of them.
MOST_PREPARED = 8


def insert(rows: Sequence[models.Model], **computed: str) -> None:
    """Insert rows of one model in one statement, without signals; `computed` are columns that are
    an SQL expression.

    What the database fills in, their keys and its defaults, is set on them.
    """
    if not rows:
        return
    into = _insertion(type(rows[0]), connection.vendor, **computed)
    with connection.cursor() as cursor:
        cursor.execute(f"{into.statement(len(rows))} {into.returning}", into.values(rows))
        for row, found in zip(rows, cursor.fetchall(), strict=True):
            into.fill(row, found)


def insert_new(rows: Sequence[models.Model]) -> int:
    """Insert those rows of one model that break no unique constraint; returns how many."""
    statement, values = statement_for(rows)
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} ON CONFLICT DO NOTHING", values)
        count: int = cursor.rowcount
        return count


def statement_for(rows: Sequence[models.Model]) -> tuple[str, list[Any]]:
    """The statement that inserts rows of one model, and its parameters."""
    into = _insertion(type(rows[0]), connection.vendor)
    return into.statement(len(rows)), into.values(rows)


def insert_family(parent: models.Model, children: Sequence[models.Model], link: str) -> None:
    """Insert a row, and the rows that name it in their foreign key `link`, all or none.

    As `insert`, but the children's keys stay unset. On PostgreSQL it is one statement, and so a
    transaction by itself: one round trip where BEGIN, two statements and COMMIT are four.
    """
    if connection.vendor == "postgresql":
        into = _insertion(type(parent), connection.vendor)
        their = _insertion(
            type(children[0]), connection.vendor, **{link: "(SELECT id FROM parent)"}
        )
        statement = (
            f"WITH parent AS ({into.statement(1)} {into.returning}), "  # noqa: S608  # our own names
            f"children AS ({their.statement(len(children))}) SELECT * FROM parent"
        )
        values = [*into.values([parent]), *their.values(children)]
        [found] = sql.execute(statement, values, prepared=len(children) <= MOST_PREPARED)
        into.fill(parent, found)
    else:
        with transaction.atomic():
            insert([parent])
            for child in children:
                setattr(child, link, parent)  # by now it has a key
            insert(children)


class _Insertion:
    """How rows of a model are inserted: which fields are given, which are computed by an SQL
    expression, and which are filled in by the database and read back.
    """

    def __init__(self, model: type[models.Model], **computed: str) -> None:
        self.given: list[Any] = []
        filled: list[Any] = []
        columns: list[str] = []
        values: list[str] = []
        field: Any
        for field in model._meta.concrete_fields:
            if field.name in computed:
                columns.append(field.column)
                values.append(computed[field.name])
            elif isinstance(field, models.AutoField) or (
                field.has_db_default() and not field.has_default()
            ):
                filled.append(field)
            else:
                self.given.append(field)
                columns.append(field.column)
                values.append("%s")
        names, self.reader = sql.columns(model, filled)
        quoted = ", ".join(map(connection.ops.quote_name, columns))
        self.beginning = f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({quoted})"
        self.one = f"({', '.join(values)})"
        self.returning = f"RETURNING {names}"

    def statement(self, rows: int) -> str:
        return f"{self.beginning} VALUES {', '.join([self.one] * rows)}"

    def values(self, rows: Sequence[models.Model]) -> list[Any]:
        database = connections[connection.alias]  # not the proxy, which costs at each attribute
        return [
            field.get_db_prep_save(field.pre_save(row, add=True), database)
            for row in rows
            for field in self.given
        ]

    def fill(self, row: models.Model, found: Sequence[Any]) -> None:
        for name, value in zip(self.reader.attributes, self.reader.values(found), strict=True):
            setattr(row, name, value)
        row._state.adding, row._state.db = False, connection.alias


@functools.cache
def _insertion(model: type[models.Model], vendor: str, **computed: str) -> _Insertion:
    return _Insertion(model, **computed)
