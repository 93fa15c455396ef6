"""Loaded into a worker (`celery -I`): a task takes memory without end, once for each time that a
file is made.
"""

import importlib
import os
import signal
from pathlib import Path
from typing import Any

from celery import signals

FILE = "FAULTS_GREEDY"  # the variable that names the file
MOST = 512  # MB; who was let take so much ends as the kernel would have ended it


@signals.worker_process_init.connect
def arm(**kwargs: Any) -> None:
    processing = importlib.import_module("messaging.processing")
    stock = processing.work

    def work(**values: str) -> str:
        try:
            Path(os.environ[FILE]).unlink()
        except FileNotFoundError:
            return str(stock(**values))
        taken = [os.urandom(1 << 20) for _ in range(MOST)]
        os.kill(os.getpid(), signal.SIGKILL)
        return str(taken)

    processing.work = work  # type: ignore[attr-defined]
