"""Django's PostgreSQL backend, which does less on a kept connection.

It asks whether the connection still works only after a pause. Django asks before each request and
task: a round trip, a tenth of a short request's cost. A connection that was used a moment ago was
either fine or has failed since, and one that failed is closed by Django itself at the end of its
request.

And it can keep statements prepared, whose planning costs PostgreSQL as much as their execution
(chassis.sql says which). They are the connection's own: a pool in between must be in session mode.
"""

import time
from functools import lru_cache
from hashlib import md5
from typing import Any

from django.db.backends.postgresql import base

PAUSE = 1.0  # seconds; no server restarts faster


class DatabaseWrapper(base.DatabaseWrapper):
    _used_at = 0.0  # monotonic
    _prepared: set[str]

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self._prepared = set()
        return super().get_new_connection(conn_params)

    def prepared(self, statement: str) -> str:
        """What to execute instead of a statement, with the same parameters; each is a `%s`."""
        name, numbered, execute = _prepared_form(statement)
        if name not in self._prepared:
            with self.wrap_database_errors, self.connection.cursor() as cursor:
                cursor.execute(f"PREPARE {name} AS {numbered}")
            self._prepared.add(name)
        return execute

    def close_if_health_check_failed(self) -> None:
        now = time.monotonic()
        if now - self._used_at < PAUSE:
            self.health_check_done = True
        super().close_if_health_check_failed()
        self._used_at = now


@lru_cache(maxsize=256)
def _prepared_form(statement: str) -> tuple[str, str, str]:
    """Its name, its text with numbered parameters, and how it is executed."""
    name = f"s{md5(statement.encode(), usedforsecurity=False).hexdigest()}"
    first, *rest = statement.replace("%%", "%").split("%s")
    numbered = first + "".join(f"${number}{text}" for number, text in enumerate(rest, 1))
    marks = f" ({', '.join(['%s'] * len(rest))})" if rest else ""
    return name, numbered, f"EXECUTE {name}{marks}"
