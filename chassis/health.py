"""Liveness and readiness, for whoever restarts and balances: 200 or 503, and what is wrong."""

import logging

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.urls import path

logger = logging.getLogger(__name__)

_migrated = False


def live(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "live"})


def ready(request: HttpRequest) -> JsonResponse:
    """The process can do its work: the database answers, and its migrations are applied."""
    problem = _database_problem()
    if problem:
        return JsonResponse({"status": "not ready", "database": problem}, status=503)
    return JsonResponse({"status": "ready", "database": "ok"})


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
        return "can't be reached"
    return ""


urlpatterns = [path("health/live", live), path("health/ready", ready)]
