"""Django's SQLite backend, with a fair queue in front of the one write lock.

SQLite lets its writers poll for the lock, the longer they have waited the more rarely: under load
some never get it. Here whoever begins a transaction queues for a lock on a file beside the
database, which the kernel hands on in order, and holds it no longer than until SQLite's own lock is
his. So one at a time polls, and often.
"""

import fcntl
import os

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    def _start_transaction_under_autocommit(self) -> None:
        if self.is_in_memory_db():
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
            return
        path = f"{self.settings_dict['NAME']}-queue"
        queue = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(queue, fcntl.LOCK_EX)
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        finally:
            os.close(queue)  # and with it the place at its head
