"""`create_api_key` and `provision_api_key`: keys that open the consumer."""

from io import StringIO

from django.core.management import CommandError, call_command
from django.test import TestCase, override_settings
from rest_framework_api_key.models import APIKey

from messaging.models import TaskAPIKey
from messaging.tests import base
from messaging.tests.base import TASKS, accept, client

KEY = "peerpeer.0123456789abcdef0123456789abcdef"


def run(command, *args):
    out = StringIO()
    call_command(command, *args, stdout=out)
    return out.getvalue().strip()


class CreateTests(TestCase):
    def setUp(self):
        base.fresh(self)

    def test_a_service_key_is_printed_once_and_opens_all(self):
        key = run("create_api_key", "--name", "postman")
        self.assertEqual(client(key).get(TASKS).status_code, 200)
        self.assertNotIn(key, str(list(APIKey.objects.values())))

    def test_a_tasks_key_opens_that_task_for_reading(self):
        task, other = accept().task, accept().task
        key = run("create_api_key", "--name", "reader", "--task", task.task_id, "--expires", "7")
        found = [client(key).get(f"{TASKS}{t.task_id}/").status_code for t in (task, other)]
        self.assertEqual(found, [200, 403])
        self.assertEqual(client(key).delete(f"{TASKS}{task.task_id}/").status_code, 403)
        self.assertIsNotNone(TaskAPIKey.objects.get().expiry_date)

    def test_a_task_that_is_not_there_is_said_so(self):
        with self.assertRaisesMessage(CommandError, "There is no task with task_id no-such."):
            run("create_api_key", "--name", "reader", "--task", "no-such")

    def test_a_bad_name_or_time_makes_no_key(self):
        for args in (("--name", ""), ("--name", "x" * 51), ("--name", "x", "--expires", "0"),
                     ("--name", "x", "--expires", "40000")):  # fmt: skip
            with self.subTest(args), self.assertRaises(CommandError):
                run("create_api_key", *args)
        self.assertEqual(APIKey.objects.count(), 0)


@override_settings(SERVICE_API_KEY=KEY)
class ProvisionTests(TestCase):
    def test_the_environments_key_opens_the_service_and_is_kept_hashed(self):
        run("provision_api_key")
        self.assertEqual(client(KEY).get(TASKS).status_code, 200)
        self.assertNotIn(KEY, str(list(APIKey.objects.values())))

    def test_a_second_run_changes_nothing(self):
        run("provision_api_key")
        before = list(APIKey.objects.values())
        self.assertIn("is known already", run("provision_api_key"))
        self.assertEqual(list(APIKey.objects.values()), before)

    def test_a_key_that_was_revoked_stays_revoked(self):
        run("provision_api_key")
        APIKey.objects.update(revoked=True)
        with self.assertRaisesMessage(CommandError, "set a new SERVICE_API_KEY"):
            run("provision_api_key")
        self.assertEqual(client(KEY).get(TASKS).status_code, 401)

    def test_a_key_of_the_wrong_form_is_refused(self):
        for key in ("nodot", "x.short", "ninechars.0123456789abcdef0123456789abcdef"):
            with self.subTest(key), override_settings(SERVICE_API_KEY=key):
                self.assertRaises(CommandError, run, "provision_api_key")
