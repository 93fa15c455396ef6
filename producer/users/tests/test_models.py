import os
from unittest.mock import patch

from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import TestCase

from users.models import CustomUser
from users.tests.base import PASSWORD, make_user


class CustomUserTests(TestCase):
    def test_createsuperuser_works_without_questions(self):
        names = {"USERNAME": "boss", "EMAIL": "boss@example.com", "PASSWORD": PASSWORD}
        environment = {f"DJANGO_SUPERUSER_{name}": value for name, value in names.items()}
        with patch.dict(os.environ, environment):
            call_command("createsuperuser", interactive=False, verbosity=0)
        self.assertTrue(CustomUser.objects.get(username="boss", is_superuser=True, is_staff=True))

    def test_the_database_itself_keeps_usernames_and_emails_unique(self):
        make_user("amel")
        for username, email in (("amel", "b@example.com"), ("b", "AMEL@EXAMPLE.COM")):
            with self.assertRaises(IntegrityError), transaction.atomic():
                make_user(username, email=email)

    def test_an_account_is_found_by_either_name(self):
        user = make_user("amel")
        self.assertEqual(CustomUser.objects.find("amel"), user)
        self.assertEqual(CustomUser.objects.find("Amel@Example.COM"), user)
        self.assertIsNone(CustomUser.objects.find("Amel"))
        self.assertIsNone(CustomUser.objects.find(""))
