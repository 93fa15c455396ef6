"""Liveness and readiness, for whoever restarts and balances: 200 or 503, and what is wrong."""

import logging

from celery import current_app
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.urls import path

logger = logging.getLogger(__name__)

AWAY = "can't be reached"

_migrated = False


def live(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "live"})


def ready(request: HttpRequest) -> JsonResponse:
    """The process can do its work: the database answers, and its migrations are applied.

    Without the broker it is degraded and still ready: what is accepted waits for its row's time.
    """
    database, broker = _database_problem(), _broker_problem()
    status = "not ready" if database else "degraded" if broker else "ready"
    return JsonResponse(
        {"status": status, "database": database or "ok", "broker": broker or "ok"},
        status=503 if database else 200,
    )


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


urlpatterns = [path("health/live", live), path("health/ready", ready)]
