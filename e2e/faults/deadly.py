"""Loaded into a worker (`celery -I`): a task of one currency kills the process that runs it."""

import os
import signal
from typing import Any

from celery import signals

CURRENCY = "XPF"  # the stream's orders are of another


@signals.task_prerun.connect
def die(args: Any = (), **kwargs: Any) -> None:
    if args and args[0] == CURRENCY:
        os.kill(os.getpid(), signal.SIGKILL)
