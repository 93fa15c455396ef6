"""What the outbox's SQL must stand beside what each service tests on its own rows."""

from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from rest_framework_api_key.models import APIKey

from chassis.clock import SecondsFromNow


class SecondsFromNowTests(TestCase):
    def test_it_can_be_logged_as_it_is_with_debug_on(self) -> None:
        with CaptureQueriesContext(connection) as queries:
            APIKey.objects.filter(created__lt=SecondsFromNow(2.5)).count()
        self.assertIn("2.5", queries[0]["sql"])
