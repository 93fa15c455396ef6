"""Who may do what: every endpoint of the consumer, with every kind of credentials."""

from datetime import timedelta

from django.test import TestCase
from django.utils import timezone
from django_celery_results.models import TaskResult
from rest_framework.test import APIClient
from rest_framework_api_key.models import APIKey

from messaging.models import Message, State, TaskAPIKey
from messaging.tests import base
from messaging.tests.base import PROCESS, SEND, TASKS, body

CREDENTIALS = (
    "nothing", "another scheme", "an empty key", "an unknown key", "a service key",
    "a service key revoked", "a service key expired", "its own key", "its own key revoked",
    "its own key expired", "another task's key",
)  # fmt: skip
NOBODY = (401, 401, 401, 401)

# The status of each endpoint for each of the credentials, in their order.
SERVICE_ONLY = {
    ("POST", SEND): 202,
    ("POST", PROCESS): 200,
    ("GET", TASKS): 200,
    ("POST", TASKS): 201,
    ("PUT", "{task}"): 409,
    ("PATCH", "{task}"): 409,
    ("DELETE", "{task}"): 204,
    ("POST", "{task}redeliver/"): 202,
    ("GET", "{unknown}"): 404,
    ("PUT", "{unknown}"): 404,
    ("PATCH", "{unknown}"): 404,
    ("DELETE", "{unknown}"): 404,
    ("POST", "{unknown}redeliver/"): 404,
}
TABLE = {
    cell: (*NOBODY, status, 401, 401, 403, 401, 401, 403) for cell, status in SERVICE_ONLY.items()
}
TABLE["GET", "{task}"] = (*NOBODY, 200, 401, 401, 200, 401, 401, 403)
TABLE["GET", "{other}"] = (*NOBODY, 200, 401, 401, 403, 401, 401, 200)

BODIES = {
    SEND: body(),
    PROCESS: body(),
    TASKS: {"task_id": "by-hand", "status": "SUCCESS", "result": "x"},
}


def expired():
    return timezone.now() - timedelta(seconds=1)


class AccessTests(TestCase):
    """In the order of the table's rows; what one cell changed is undone before the next."""

    def setUp(self):
        base.fresh(self)
        self.message, self.other = base.finished(), base.finished()
        self.task, self.other_task = self.message.task, self.other.task
        Message.objects.update(state=State.DEAD)
        service, own = APIKey.objects, TaskAPIKey.objects
        keys = {
            "an empty key": "",
            "an unknown key": "abcdefgh.0123456789abcdef0123456789abcdef",
            "a service key": service.create_key(name="k")[1],
            "a service key revoked": service.create_key(name="k", revoked=True)[1],
            "a service key expired": service.create_key(name="k", expiry_date=expired())[1],
            "its own key": own.create_key(name="k", task=self.task)[1],
            "its own key revoked": own.create_key(name="k", task=self.task, revoked=True)[1],
            "its own key expired": own.create_key(name="k", task=self.task, expiry_date=expired())[
                1
            ],
            "another task's key": own.create_key(name="k", task=self.other_task)[1],
        }
        self.headers = {name: f"Api-Key {key}" for name, key in keys.items()}
        self.headers["another scheme"] = f"Token {keys['a service key']}"

    def ask(self, method, path, credentials):
        url = path.format(
            task=f"{TASKS}{self.task.task_id}/",
            other=f"{TASKS}{self.other_task.task_id}/",
            unknown=f"{TASKS}no-such-task/",
        )
        api = APIClient()
        if credentials in self.headers:
            api.credentials(HTTP_AUTHORIZATION=self.headers[credentials])
        given = BODIES.get(path, {"status": "SUCCESS", "result": "x"})
        return api.generic(method, url, base.json.dumps(given), content_type="application/json")

    def test_every_endpoint_answers_each_kind_of_credentials_as_the_table_says(self):
        for (method, path), expected in TABLE.items():
            found = {}
            for credentials in CREDENTIALS:
                with base.undone():
                    found[credentials] = self.ask(method, path, credentials).status_code
            with self.subTest(method=method, path=path):
                self.assertEqual(found, dict(zip(CREDENTIALS, expected, strict=True)))

    def test_a_refusal_says_how_to_come_in_and_nothing_of_what_is_there(self):
        for path in ("{task}", "{unknown}", SEND):
            for credentials in ("nothing", "an unknown key"):
                response = self.ask("GET", path, credentials)
                self.assertEqual(response.headers["WWW-Authenticate"], "Api-Key")
                self.assertEqual(response.headers["Content-Type"], "application/problem+json")
        for path in ("{task}", "{unknown}"):
            answers = {self.ask("GET", path, "another task's key").content for _ in range(2)}
            answers.add(self.ask("GET", "{unknown}", "another task's key").content)
            self.assertEqual(len(answers), 1)

    def test_no_refused_call_changes_anything(self):
        before = list(Message.objects.values()), list(TaskResult.objects.values())
        for method, path in TABLE:
            for credentials in CREDENTIALS:
                if "service key" not in credentials or credentials.endswith(("revoked", "expired")):
                    self.ask(method, path, credentials)
        self.assertEqual(
            (list(Message.objects.values()), list(TaskResult.objects.values())), before
        )

    def test_the_word_before_the_key_is_read_whatever_its_case(self):
        api = APIClient()
        api.credentials(
            HTTP_AUTHORIZATION=self.headers["a service key"].lower()[:8]
            + self.headers["a service key"][8:]
        )
        self.assertEqual(api.get(TASKS).status_code, 200)

    def test_odd_credentials_are_401_and_no_error(self):
        for value in (
            "Api-Key",
            "Api-Key  ",
            "Api-Key .",
            "Api-Key a.b.c",
            "Api-Key \x00.x",
            "Api-Key é.ü",
            "Api-Key " + "x" * 9000,
            "Bearer x",
            "\xff\xfe",
            "Api-Key\tx",
        ):
            with self.subTest(value[:12]):
                api = APIClient(raise_request_exception=False)
                api.credentials(HTTP_AUTHORIZATION=value)
                self.assertEqual(api.get(TASKS).status_code, 401)

    def test_a_key_of_a_task_goes_with_its_task(self):
        self.task.delete()
        self.assertEqual(self.ask("GET", "{task}", "its own key").status_code, 401)
