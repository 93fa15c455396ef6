"""The page at `/`."""

from unittest.mock import patch

from django.db import OperationalError, connection
from django.test import TestCase
from django.urls import reverse
from drf_spectacular.settings import spectacular_settings


def away(execute, *args):
    raise OperationalError("connection refused: secret-host")


class FrontPageTests(TestCase):
    def test_it_says_what_the_service_is_and_that_it_is_ready(self):
        response = self.client.get("/")
        self.assertContains(response, spectacular_settings.TITLE)
        self.assertContains(response, "Ready.")
        self.assertContains(response, "Its database answers. Its broker answers.")

    def test_it_says_what_is_wrong_and_needs_no_database_for_it(self):
        with (
            patch("chassis.health._migrated", False),
            connection.execute_wrapper(away),
            self.assertLogs("chassis.health", "WARNING"),
        ):
            response = self.client.get("/")
        self.assertContains(response, "Not ready.")
        self.assertContains(response, "Its database can&#x27;t be reached.")
        self.assertNotContains(response, "secret-host")

    def test_it_leads_to_the_documents_the_admin_and_the_checks(self):
        page = self.client.get("/")
        for url in (reverse("docs"), reverse("schema"), reverse("admin:index"), "/health/ready"):
            self.assertContains(page, f'href="{url}"')
            self.assertLess(self.client.get(url).status_code, 400, url)

    def test_nothing_in_it_comes_from_elsewhere(self):
        self.assertNotContains(self.client.get("/"), "//")
