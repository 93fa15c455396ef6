"""Liveness and readiness, for whoever restarts and balances: 200 or 503, and what is wrong."""

import logging
from typing import NamedTuple

from celery import current_app
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from chassis.api import endpoint

logger = logging.getLogger(__name__)

AWAY = "can't be reached"
NOT_READY = "not ready"

_migrated = False


def live(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "live"})


def ready(request: HttpRequest) -> JsonResponse:
    """The process can do its work: the database answers, and its migrations are applied.

    Without the broker it is degraded and still ready: what is accepted waits for its row's time.
    """
    found = check()
    answer = {name: problem or "ok" for name, problem in found.problems.items()}
    return JsonResponse(
        {"status": found.status, **answer}, status=503 if found.status == NOT_READY else 200
    )


class Health(NamedTuple):
    status: str
    problems: dict[str, str]  # of the database and the broker, for people; "" for none


def check() -> Health:
    database, broker = _database_problem(), _broker_problem()
    status = NOT_READY if database else "degraded" if broker else "ready"
    return Health(status, {"database": database, "broker": broker})


def _database_problem() -> str:
    global _migrated
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _migrated:  # once applied they stay; the check reads every migration's file
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                return "migrations are missing: run `manage.py migrate`"
            _migrated = True
    except Error as error:
        logger.warning("not ready: %s", error)
        return AWAY
    return ""


def _broker_problem() -> str:
    """By one try to connect; a broker that is frozen makes it last about a second."""
    try:
        with current_app.connection_for_write() as broker:
            broker.transport.close_connection(broker.transport.establish_connection())
    except Exception as error:  # any transport's own errors
        logger.warning("broker not reached: %r", error)
        return AWAY
    return ""


urlpatterns = [
    endpoint("health/live", live, "health-live"),
    endpoint("health/ready", ready, "health-ready"),
]
