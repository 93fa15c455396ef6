"""The Celery app of a service: its defaults, its safety ring, and how its workers stop."""

import functools
import logging
import logging.config
import os
import threading
from pathlib import Path
from typing import Any

import celery.worker.consumer
from celery import Celery, bootsteps, signals
from django.conf import settings
from django.db import close_old_connections
from kombu import Exchange, Queue

from chassis import bell, http, logs
from chassis.forks import share_memory

logger = logging.getLogger(__name__)

ALIVE_SECONDS = 5  # between signs of life, for a container's health check (chassis.alive)

stopping = threading.Event()  # set when this process shuts down

DEFAULTS: dict[str, Any] = {
    "task_ignore_result": True,  # a stored result would ring the consumer's own receiver
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_create_missing_queues": False,  # a mistyped queue must not collect tasks that nobody runs
    "task_publish_retry": True,
    # One more try, at once: a kept connection is found dead only by using it.
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0},
    "broker_connection_timeout": 0.5,
    "broker_connection_max_retries": None,
    "broker_connection_retry_on_startup": True,
    "result_expires": None,  # results go with their messages, by `prune` alone
    "worker_consumer": "chassis.worker:Consumer",
    "worker_prefetch_multiplier": 1,
    "worker_enable_remote_control": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "CELERY_DB_REUSE_MAX": 10**9,  # keep the connection between tasks; Django checks its health
}


def ring_queue(name: str) -> Queue:
    """A queue of one task's rings: bounded and short-lived, since one waiting ring is as good as a
    hundred. Another task's would push it out.
    """
    return Queue(
        name,
        Exchange(""),
        queue_arguments={"x-max-length": 1, "x-message-ttl": bell.RING_SECONDS * 1000},
    )


def work_queue(name: str) -> Queue:
    """A replicated queue of work, so that a cluster may lose a node without the backlog."""
    return Queue(name, Exchange(""), queue_arguments={"x-queue-type": "quorum"})


class Consumer(celery.worker.consumer.Consumer):  # type: ignore[misc]
    """Celery's, without the 28 queues for delayed tasks that it declares beside a quorum queue:
    what waits here waits in the database, where it can be seen.

    A broker that is away is looked for every 2 s. Celery's own pauses grow to half a minute, which
    would come on top of an outage.
    """

    def ensure_connected(self, conn: Any) -> Any:
        conn.ensure_connection = functools.partial(conn.ensure_connection, interval_step=0)
        return super().ensure_connected(conn)

    class Blueprint(celery.worker.consumer.Consumer.Blueprint):  # type: ignore[misc,valid-type]
        default_steps = [
            step
            for step in celery.worker.consumer.Consumer.Blueprint.default_steps
            if not step.endswith(":DelayedDelivery")
        ]


class SafetyRing(bootsteps.StartStopStep):
    """Rings for the queues that this worker consumes, by its own monotonic timer.

    A ring may be lost, and rows come due with nobody to ring for them. There is no beat: it is one
    process that can die, and it follows a clock that can be set back.
    """

    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self.entries: list[Any] = []

    def start(self, worker: Any) -> None:
        if alive_file := os.environ.get("WORKER_ALIVE_FILE"):
            touch = Path(alive_file).touch
            self.entries.append(worker.timer.call_repeatedly(ALIVE_SECONDS, touch))
        consumed = worker.app.amqp.queues.consume_from
        for task, queue, seconds in settings.SAFETY_RINGS:
            if bell.queue_name(queue) in consumed:
                ring = bell.Bell(task, queue).ring
                self.entries.append(worker.timer.call_repeatedly(seconds, ring))

    def stop(self, worker: Any) -> None:
        for entry in self.entries:
            entry.cancel()


def make_app(service: str) -> Celery:
    """The service's Celery app, configured by Django's settings named CELERY_…."""
    app = Celery(service)
    app.add_defaults(lambda: DEFAULTS)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.autodiscover_tasks()
    app.steps["worker"].add(SafetyRing)
    return app


@signals.setup_logging.connect
def use_the_services_logging(**kwargs: Any) -> None:
    """Celery would set up logging of its own."""
    logging.config.dictConfig(settings.LOGGING)


@signals.worker_before_create_process.connect
def share_with_the_pool(**kwargs: Any) -> None:
    share_memory()


@signals.task_prerun.connect
def drop_broken_connections(**kwargs: Any) -> None:
    """What Django does before each request, before each task: after a restart of the database it
    reconnects.
    """
    close_old_connections()


@signals.task_prerun.connect
def carry_the_ids(task_id: str, task: Any, **kwargs: Any) -> None:
    """What a message's task logs has the message's request id, which the task's header carries, and
    the task's own. A ring is nobody's in particular.
    """
    given = task.request.get("request_id")
    logs.begin(given or "", **({"task_id": task_id} if given else {}))


@signals.task_postrun.connect
def drop_the_ids(**kwargs: Any) -> None:
    logs.begin("")


@signals.worker_shutting_down.connect
def stop_draining(**kwargs: Any) -> None:
    """At SIGTERM, end drains and cut open calls: their rows' leases see to it that they are sent
    again.
    """
    stopping.set()
    http.cut_open_calls()
