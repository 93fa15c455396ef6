"""/health/live and /health/ready."""

import os
import socket
from unittest.mock import patch

from django.db import InterfaceError, OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import TestCase


def away(execute, *args):
    raise OperationalError("connection refused: secret-host")


def closed(execute, *args):
    raise InterfaceError("connection already closed")


def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class HealthTests(TestCase):
    def setUp(self):
        self.enterContext(patch("chassis.health._migrated", False))

    def test_a_process_that_answers_is_live_without_its_database(self):
        with connection.execute_wrapper(away):
            response = self.client.get("/health/live")
        self.assertEqual((response.status_code, response.json()), (200, {"status": "live"}))

    def test_it_is_ready_when_the_database_answers_and_is_migrated(self):
        for path in ("/health/ready", "/health/ready/"):
            response = self.client.get(path)
            self.assertEqual(response.status_code, 200)
        expected = {"status": "ready", "database": "ok", "broker": "ok"}
        self.assertEqual(response.json(), expected)

    def test_without_the_broker_it_is_degraded_and_ready_all_the_same(self):
        with (
            patch.dict(os.environ, CELERY_BROKER_WRITE_URL=f"amqp://127.0.0.1:{closed_port()}"),
            self.assertLogs("chassis.health", "WARNING"),
        ):
            response = self.client.get("/health/ready")
        self.assertEqual(response.status_code, 200)
        expected = {"status": "degraded", "database": "ok", "broker": "can't be reached"}
        self.assertEqual(response.json(), expected)

    def test_it_is_not_ready_without_the_database(self):
        for failure in (away, closed):
            with (
                connection.execute_wrapper(failure),
                self.assertLogs("chassis.health", "WARNING"),
                self.assertLogs("django.request", "ERROR"),
            ):
                response = self.client.get("/health/ready")
            self.assertEqual(response.status_code, 503)
            self.assertEqual(response.json()["status"], "not ready")
            self.assertEqual(response.json()["database"], "can't be reached")

    def test_it_is_not_ready_before_its_migrations_and_is_after_them(self):
        last = MigrationRecorder.Migration.objects.filter(app="rest_framework_api_key").last()
        last.delete()
        with self.assertLogs("django.request", "ERROR"):
            response = self.client.get("/health/ready")
        self.assertEqual(response.status_code, 503)
        self.assertIn("manage.py migrate", response.json()["database"])
        last.save(force_insert=True)
        self.assertEqual(self.client.get("/health/ready").status_code, 200)

    def test_migrations_are_looked_at_until_they_are_applied_and_then_no_more(self):
        self.client.get("/health/ready")
        with self.assertNumQueries(1):
            self.client.get("/health/ready")

    def test_it_is_asked_by_any_host_name(self):
        for path in ("live", "ready"):
            response = self.client.get(f"/health/{path}", headers={"Host": "10.0.0.7:8000"})
            self.assertEqual(response.status_code, 200)
