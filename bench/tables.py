"""Databases for a measurement: their own, and filled with what would be in them after years."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypedDict

from e2e import databases


class Places(TypedDict):
    """Arguments of a Stack."""

    producer_database: str
    consumer_database: str
    broker: str


SQL = Path(__file__).parent / "rows"


def server() -> str:
    """The PostgreSQL server of BENCH_DATABASE_URL, whose own database is left alone; "" for
    none.
    """
    url = os.environ.get("BENCH_DATABASE_URL", "")
    return url.rpartition("/")[0] if url.count("/") > 2 else url


@contextmanager
def named(name: str) -> Iterator[Places]:
    """The broker, and databases of this name, new now and dropped at the end; SQLite in the
    stack's own folder where no server is given.
    """
    at = Places(
        producer_database=f"{server()}/bench_{name}_producer" if server() else "",
        consumer_database=f"{server()}/bench_{name}_consumer" if server() else "",
        broker=os.environ.get("BENCH_BROKER_URL", ""),
    )
    urls = [at["producer_database"], at["consumer_database"]] if server() else []
    try:
        for url in urls:
            databases.drop(url)
        yield at
    finally:
        for url in urls:
            databases.drop(url)


def fill(url: str, service: str, rows: int) -> None:
    """Fill a service's migrated database with so many rows of each kind, made by PostgreSQL."""
    with closing(databases.connect(url)) as connection:
        connection.autocommit = True  # VACUUM takes no transaction
        with connection.cursor() as cursor:
            for statement in _statements(service):
                cursor.execute(statement, {"rows": rows})


def _statements(service: str) -> list[str]:
    lines = (SQL / f"{service}.sql").read_text().splitlines()
    text = "\n".join(line.partition("--")[0] for line in lines)  # a comment may have a semicolon
    return [statement for statement in text.split(";") if statement.strip()]
