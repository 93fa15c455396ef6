"""The plans of the queries that a service's workers ask again and again: `python -m bench.plans`,
in its folder and its environment.

Each is run and explained inside a transaction that is taken back. Prints one line of JSON.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from importlib import import_module  # noqa: E402  # needs the settings

from django.apps import apps  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from chassis import outbox  # noqa: E402

KEPT = ("Scan", "Sort", "Join", "Nested Loop")  # of a plan's lines


def looks() -> Iterator[tuple[str, Callable[[], Any]]]:
    """What a look for work asks, by the name of the work."""
    if apps.is_installed("orders"):
        dispatch, pruning = import_module("orders.dispatch"), import_module("orders.pruning")
        yield "claim orders", lambda: outbox.claim(dispatch.DUE, dispatch.BATCH)
        yield "prune", pruning.prune_batch
        return
    hosts, processing = import_module("messaging.hosts"), import_module("messaging.processing")
    yield "claim messages to process", lambda: outbox.claim(processing.DUE, processing.SWEEP_BATCH)
    yield "find hosts with work", hosts.waiting
    yield "claim results to deliver", lambda: outbox.claim(hosts.ROWS_OF[False], 8, host=1)
    yield "claim a probe", lambda: outbox.claim(hosts.ROWS_OF[True], 1, host=7)
    yield "prune", import_module("messaging.pruning").prune_batch


def explained(name: str, look: Callable[[], Any]) -> dict[str, Any]:
    asked: list[tuple[str, Any]] = []

    def keep(execute: Any, sql: Any, params: Any, *args: Any) -> Any:
        asked.append((str(sql), params))
        return execute(sql, params, *args)

    with transaction.atomic(), connection.cursor() as cursor:
        look()  # its statement is prepared, as in a worker that has run for a while
        start = time.perf_counter()
        with connection.execute_wrapper(keep):
            look()
        ms = (time.perf_counter() - start) * 1000
        lines = []
        for sql, params in asked:
            if sql.startswith(("SELECT", "UPDATE", "DELETE", "EXECUTE")):
                cursor.execute(f"EXPLAIN {sql}", params)
                lines += [line.strip() for (line,) in cursor.fetchall()]
        transaction.set_rollback(True)
    return {"name": name, "ms": ms, "lines": [line for line in lines if _says_how(line)]}


def _says_how(line: str) -> bool:
    return any(word in line for word in KEPT)


def main() -> None:
    print(json.dumps([explained(name, look) for name, look in looks()]))


main()
