"""Django's PostgreSQL backend, asking whether a kept connection still works only after a pause.

Django asks before each request and task: a round trip, a tenth of a short request's cost. A
connection that was used a moment ago was either fine or has failed since, and one that failed is
closed by Django itself at the end of its request.
"""

import time

from django.db.backends.postgresql import base

PAUSE = 1.0  # seconds; no server restarts faster


class DatabaseWrapper(base.DatabaseWrapper):
    _used_at = 0.0  # monotonic

    def close_if_health_check_failed(self) -> None:
        now = time.monotonic()
        if now - self._used_at < PAUSE:
            self.health_check_done = True
        super().close_if_health_check_failed()
        self._used_at = now
