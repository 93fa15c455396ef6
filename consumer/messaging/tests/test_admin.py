import uuid
from datetime import timedelta
from unittest.mock import patch

from celery import states
from django.contrib.auth.models import Group, User
from django.test import Client, TestCase
from django.utils import timezone
from django_celery_results.models import GroupResult, TaskResult
from rest_framework_api_key.models import APIKey

from chassis import throttle
from chassis.admin_testing import PHRASE, AdminMixin, EveryAdminTests, url_of
from messaging import acceptance
from messaging.models import DeliveryAttempt, Host, Message, State, TaskAPIKey

NOW = timezone.now()
SECRET = "abcdefgh.the-webhooks-own-key"
TRACEBACK = "Traceback (most recent call last): ValueError"


def make_message(number: int = 0, **columns) -> Message:
    """A message accepted like any other, then given these columns."""
    given = {
        "webhook_url": f"http://127.0.0.1:{7000 + number}/status/update",
        "webhook_api_key": SECRET,
        "address": "Ariana",
        "phone_number": "555-1234",
        "order_key": f"ABC{number}",
        "status": "pending",
        "currency": "TND",
    }
    ((message, _),) = acceptance.accept_messages(messages=[given], publish=False)
    Message.objects.filter(pk=message.pk).update(**columns)
    return Message.objects.get(pk=message.pk)


class EveryPageTests(EveryAdminTests, TestCase):
    secrets = (SECRET, "gAAAA")  # and how every encrypted text begins

    def make_rows(self):
        number = Message.objects.count()
        message = make_message(number)
        DeliveryAttempt.objects.create(message=message, at=NOW, ms=3, status=503, error="503")
        TaskAPIKey.objects.create_key(name="reader", task=message.task)
        APIKey.objects.create_key(name="postman")
        Group.objects.create(name=f"group{number}")
        GroupResult.objects.create(group_id=f"group{number}", result="[]")


class MessageAdminTests(AdminMixin, TestCase):
    def setUp(self):
        super().setUp()
        self.message = make_message()

    def detail(self, row):
        return self.page(url_of(row, "change", row.pk))

    def test_a_message_is_found_by_whatever_names_it(self):
        make_message(1)
        whole, task = str(self.message.message_id), self.message.task.task_id
        for name in (whole, whole[:8], whole.upper(), task, "ABC0", "http://127.0.0.1:7000/"):
            with self.subTest(name):
                self.assertEqual(self.list_of(Message, q=name), [self.message])
        self.assertEqual(self.list_of(Message, q="ABC9"), [])

    def test_a_task_and_an_attempt_are_found_by_their_message(self):
        other = make_message(1)
        for message in (self.message, other):
            DeliveryAttempt.objects.create(message=message, at=NOW, ms=3, status=200)
        for name in ("ABC0", str(self.message.message_id)):
            self.assertEqual(self.list_of(TaskResult, q=name), [self.message.task])
            (attempt,) = self.list_of(DeliveryAttempt, q=name)
            self.assertEqual(attempt.message, self.message)
        self.assertEqual(self.list_of(TaskResult, q=other.task.task_id), [other.task])

    def test_messages_are_filtered_by_state_and_host(self):
        dead = make_message(1, state=State.DEAD)
        self.assertEqual(self.list_of(Message, state__exact="dead"), [dead])
        self.assertEqual(self.list_of(Message, host=self.message.host.pk), [self.message])
        self.assertEqual(self.list_of(Message, host="x"), [dead, self.message])

    def test_a_host_that_is_not_among_those_offered_can_be_chosen(self):
        with patch("messaging.admin_parts.HOSTS_OFFERED", 0):
            url = url_of(Message, "changelist")
            self.assertIn("127.0.0.1:7000", self.page(f"{url}?host={self.message.host.pk}"))

    def test_its_page_shows_its_task_its_attempts_and_its_host(self):
        Host.objects.update(failures=5, open_until=NOW + timedelta(hours=1))
        DeliveryAttempt.objects.create(message=self.message, at=NOW, ms=7, error="timed out")
        TaskResult.objects.update(status=states.SUCCESS, result='"TNDABC0pending"')
        html = self.detail(self.message)
        for text in (
            "SUCCESS",
            "TNDABC0pending",
            "timed out",
            "http://127.0.0.1:7000",
            "open until",
        ):
            self.assertIn(text, html)

    def test_of_the_webhooks_key_it_is_shown_only_that_there_is_one(self):
        self.assertIn("kept encrypted", self.detail(self.message))
        Message.objects.update(webhook_api_key="")
        self.assertIn("none, or erased", self.detail(self.message))

    def test_ended_messages_are_sent_again_and_unfinished_ones_left_alone(self):
        dead = make_message(1, state=State.DEAD, attempts=12, due_at=None, last_error="500")
        said = self.act(Message, "send_again", [self.message.pk, dead.pk])
        self.assertIn("1 message sent again. 1 message left alone: still being processed", said)
        dead.refresh_from_db()
        self.assertEqual((dead.state, dead.attempts, dead.last_error), (State.DELIVERING, 0, ""))
        self.message.refresh_from_db()
        self.assertEqual(self.message.state, State.PROCESSING)

    def test_the_button_on_its_page_does_the_same_after_a_question(self):
        dead = make_message(1, state=State.DEAD, due_at=None)
        url = url_of(dead, "send_this_again", dead.pk)
        self.assertIn("Send this result again?", self.page(url))
        dead.refresh_from_db()
        self.assertEqual(dead.state, State.DEAD)
        response = self.client.post(url, {"_form_submitted": "True"}, headers={"HX-Request": "1"})
        self.assertEqual(response.headers["HX-Redirect"], url_of(dead, "change", dead.pk))
        dead.refresh_from_db()
        self.assertEqual(dead.state, State.DELIVERING)

    def test_the_button_is_not_there_while_there_is_no_result(self):
        self.assertNotIn("send_this_again", self.detail(self.message))
        Message.objects.update(state=State.DELIVERED)
        self.assertIn("send_this_again", self.detail(self.message))

    def test_messages_hosts_and_attempts_are_written_by_no_form(self):
        attempt = DeliveryAttempt.objects.create(message=self.message, at=NOW, ms=3)
        for row in (self.message, self.message.host, attempt, self.message.task):
            with self.subTest(row):
                response = self.client.post(url_of(row, "change", row.pk), {"state": "dead"})
                self.assertEqual(response.status_code, 403)
                self.assertEqual(self.client.get(url_of(row, "add")).status_code, 403)
        for row in (self.message, self.message.host, attempt):
            response = self.client.post(url_of(row, "delete", row.pk), {"post": "yes"})
            self.assertEqual(response.status_code, 403)

    def test_the_attempt_of_a_deleted_message_still_has_its_page(self):
        attempt = DeliveryAttempt.objects.create(message_id=10**6, at=NOW, ms=3, error="timeout")
        self.assertEqual(self.list_of(DeliveryAttempt, answer="no answer"), [attempt])
        self.detail(attempt)
        attempt.delete()  # before the foreign keys are checked


class TaskAdminTests(AdminMixin, TestCase):
    def setUp(self):
        super().setUp()
        self.message = make_message()
        self.task = self.message.task

    def test_a_failed_tasks_traceback_is_shown_on_its_page_alone(self):
        failure = '{"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "builtins"}'
        TaskResult.objects.update(status=states.FAILURE, result=failure, traceback=TRACEBACK)
        html = self.page(url_of(self.task, "change", self.task.pk))
        self.assertIn("ValueError: no", html)
        self.assertIn(TRACEBACK, html)
        for model in (TaskResult, Message):
            self.assertNotIn(TRACEBACK, self.page(url_of(model, "changelist")))

    def test_a_task_written_by_hand_has_its_page_without_a_message(self):
        task = TaskResult.objects.create(task_id="by-hand", status=states.SUCCESS, result="7")
        self.assertEqual(self.list_of(TaskResult, status="SUCCESS"), [task])
        self.page(url_of(task, "change", task.pk))

    def test_an_unfinished_task_is_not_done_yet(self):
        self.assertEqual(self.first(TaskResult, "done"), "-")
        TaskResult.objects.update(status=states.SUCCESS)
        self.assertIn(str(NOW.year), self.first(TaskResult, "done"))

    def test_a_task_is_deleted_with_its_message_once_its_delivery_has_ended(self):
        delete = url_of(self.task, "delete", self.task.pk)
        for state in (State.PROCESSING, State.DELIVERING):
            Message.objects.update(state=state)
            self.assertEqual(self.client.post(delete, {"post": "yes"}).status_code, 403)
        Message.objects.update(state=State.DELIVERED)
        self.assertIn("its message", self.page(delete))
        self.client.post(delete, {"post": "yes"})
        self.assertFalse(TaskResult.objects.exists() or Message.objects.exists())

    def test_a_task_taken_up_again_at_the_last_moment_is_not_deleted(self):
        with patch("messaging.admin_tasks.TaskResultAdmin.can_delete", return_value=True):
            delete = url_of(self.task, "delete", self.task.pk)
            said = self.said(self.client.post(delete, {"post": "yes"}, follow=True))
        self.assertEqual(said, "A task can be deleted once its delivery has ended.")
        self.assertTrue(TaskResult.objects.exists())

    def test_no_list_deletes_tasks(self):
        Message.objects.update(state=State.DELIVERED)
        self.act(TaskResult, "delete_selected", [self.task.pk])
        self.assertTrue(TaskResult.objects.exists())


class HostAdminTests(AdminMixin, TestCase):
    def test_the_breaker_is_shown_and_filtered(self):
        soon, past = NOW + timedelta(hours=1), NOW - timedelta(hours=1)
        for state, open_until in (("closed", None), ("open until", soon), ("probing", past)):
            Host.objects.all().delete()
            host = Host.objects.create(name="https://shop.example:443", open_until=open_until)
            with self.subTest(state):
                self.assertIn(state, self.page(url_of(host, "change", host.pk)))
                kind = "closed" if state == "closed" else "open"
                self.assertEqual(self.list_of(Host, breaker=kind), [host])
                self.assertEqual(self.list_of(Host, breaker="failing"), [])

    def test_a_failing_host_is_found_and_leads_to_its_messages(self):
        host = Host.objects.create(name="https://a.example:443", failures=1, failing_since=NOW)
        self.assertEqual(self.list_of(Host, breaker="failing"), [host])
        for address in (host.name, "https://A.example/hook?of=an-order"):
            self.assertEqual(self.list_of(Host, q=address), [host])
        html = self.page(url_of(Host, "changelist"))
        self.assertIn(f"?host={host.pk}&amp;state__exact=delivering", html)


class SignInTests(TestCase):
    def setUp(self):
        clock = patch.dict(throttle.CLOCKS, dict.fromkeys(throttle.CLOCKS, "1800000000"))
        clock.start()
        self.addCleanup(clock.stop)
        User.objects.create_superuser("root", "root@example.com", PHRASE)

    def sign_in(self, password):
        form = {"username": "root", "password": password}
        return Client().post("/admin/login/", form)

    def test_staff_sign_in(self):
        self.assertEqual(self.sign_in(PHRASE).status_code, 302)

    def test_ten_wrong_passwords_in_a_minute_lock_the_account_for_the_rest_of_it(self):
        for _ in range(10):
            self.assertContains(self.sign_in("wrong"), "Please enter the correct")
        self.assertContains(self.sign_in(PHRASE), "Too many failed sign-ins to this account")


class UserAdminTests(AdminMixin, TestCase):
    def test_a_user_is_added(self):
        self.page(url_of(User, "add"))
        form = {"username": "clerk", "password1": PHRASE, "password2": PHRASE}
        form["usable_password"] = "true"
        self.client.post(url_of(User, "add"), form)
        self.assertTrue(User.objects.get(username="clerk").check_password(PHRASE))

    def test_a_key_is_made_for_one_task(self):
        task = TaskResult.objects.create(task_id=str(uuid.uuid4()))
        form = {"name": "reader", "task": task.pk}
        self.client.post(url_of(TaskAPIKey, "add"), form)
        self.assertEqual(TaskAPIKey.objects.get().task, task)
