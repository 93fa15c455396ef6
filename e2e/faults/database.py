"""A service's database, looked at from outside and meddled with, on PostgreSQL and on SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from e2e import databases

SQLITE = "sqlite:///"

# Each change of a status, noted by the database itself, whoever made it.
NOTES = "CREATE TABLE fault_notes (of text, was text, became text)"
FUNCTION = """
CREATE FUNCTION fault_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO fault_notes VALUES (NEW.{key}, OLD.status, NEW.status); RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER fault_note AFTER UPDATE OF status ON {table}
FOR EACH ROW WHEN (OLD.status <> NEW.status) {body}
"""
SQLITE_BODY = "BEGIN INSERT INTO fault_notes VALUES (NEW.{key}, OLD.status, NEW.status); END"


class Database:
    """Connects anew for each statement, since a row may have restarted the server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith(SQLITE)

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """A connection; what was done on it is committed at the end."""
        if self.is_sqlite:
            with closing(sqlite3.connect(self.url.removeprefix(SQLITE), timeout=20)) as connection:
                yield connection
                connection.commit()
        else:
            with closing(databases.connect(self.url)) as connection:
                yield connection
                connection.commit()

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Execute a statement, its values as `%s`; returns the rows it answers."""
        if self.is_sqlite:
            statement = statement.replace("%s", "?")
        with self.connected() as connection, closing(connection.cursor()) as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []

    def value(self, statement: str, *values: Any) -> Any:
        return self.rows(statement, *values)[0][0]

    def epoch(self, column: str) -> str:
        """A time as seconds since 1970, in SQL."""
        if self.is_sqlite:
            return f"((julianday({column}) - 2440587.5) * 86400.0)"
        return f"extract(epoch FROM {column})::float8"

    def note_changes(self, table: str, key: str) -> None:
        """From now on note each change of a row's status in `fault_notes`."""
        self.rows(NOTES)
        if self.is_sqlite:
            body = SQLITE_BODY.format(key=key)
        else:
            self.rows(FUNCTION.format(key=key))
            body = "EXECUTE FUNCTION fault_note()"
        self.rows(TRIGGER.format(table=table, body=body))
