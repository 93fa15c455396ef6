"""PostgreSQL databases by their URL: made before a stack starts, dropped after a test."""

from contextlib import closing, suppress
from urllib.parse import unquote, urlsplit

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection

MAINTENANCE = "postgres"  # the database to be connected to while others are made and dropped
SCHEMES = ("postgres", "postgresql")


def name_of(url: str) -> str:
    return unquote(urlsplit(url).path.lstrip("/"))


def create(url: str) -> None:
    """Make the database of the URL unless it is there; SQLite makes its own.

    Raises psycopg2.OperationalError where the server can't be reached or refuses, ValueError for
    any other kind of URL.
    """
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        return
    if scheme not in SCHEMES:
        raise ValueError("it begins with neither postgres:// nor sqlite:///")
    try:
        connect(url).close()  # the server may allow this database and no other
    except psycopg2.OperationalError:
        _maintain(url, "CREATE DATABASE {}")


def drop(url: str) -> None:
    """Drop the database of the URL, whoever is connected to it."""
    _maintain(url, "DROP DATABASE IF EXISTS {} WITH (FORCE)")


def connect(url: str, database: str = "") -> connection:
    parts = urlsplit(url)
    return psycopg2.connect(
        host=parts.hostname,
        port=parts.port or 5432,
        user=unquote(parts.username or "") or None,
        password=unquote(parts.password or "") or None,
        dbname=database or name_of(url),
        connect_timeout=3,
    )


def _maintain(url: str, statement: str) -> None:
    with closing(connect(url, MAINTENANCE)) as server:
        server.autocommit = True  # databases are made outside of transactions
        # A duplicate was made by another in the same moment.
        with server.cursor() as cursor, suppress(errors.DuplicateDatabase):
            cursor.execute(sql.SQL(statement).format(sql.Identifier(name_of(url))))
