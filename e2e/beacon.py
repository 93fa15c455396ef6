"""Has a Celery worker say when it takes tasks: the launcher adds it to each worker, and listens."""

from typing import Any

from celery import signals

from e2e.environment import READY


@signals.worker_ready.connect
def say_ready(**kwargs: Any) -> None:
    print(READY, flush=True)
