"""Loaded into a worker (`celery -I`): the work of one currency kills the process that does it."""

import importlib
import os
import signal
from typing import Any

from celery import signals

CURRENCY = "XPF"  # the stream's orders are of another


@signals.worker_process_init.connect
def arm(**kwargs: Any) -> None:
    processing = importlib.import_module("messaging.processing")
    stock = processing.work

    def work(*, currency: str, **rest: str) -> str:
        if currency == CURRENCY:
            os.kill(os.getpid(), signal.SIGKILL)
        return str(stock(currency=currency, **rest))

    processing.work = work  # type: ignore[attr-defined]
