"""Runs both services as one system: `python -m e2e.stack`, `make up`, `make demo`, and the tests.

Code here runs outside both services and reaches them as anyone would: by their environment, and
by HTTP.
"""

import sqlite3
import sys

if sys.version_info < (3, 11):  # noqa: UP036  # said before a module fails with less clear words
    sys.exit("Python 3.11 or newer is needed: install it, remove .venv, and try again.")
if sqlite3.sqlite_version_info < (3, 35):
    sys.exit(
        f"SQLite 3.35 or newer is needed, this Python has {sqlite3.sqlite_version}: "
        "install a newer Python, remove .venv, and try again."
    )
