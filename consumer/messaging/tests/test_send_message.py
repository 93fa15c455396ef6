"""POST send-message/: what is accepted, what is refused, and what asking again does."""

import uuid
from unittest import mock

from celery import states
from django.db import IntegrityError, OperationalError
from django.test import TestCase
from django_celery_results.models import TaskResult

from chassis import bell
from messaging import acceptance
from messaging.models import Host, Message, MessageQuerySet, State
from messaging.tests import base
from messaging.tests.base import SEND, accept, body, finish, finished, new_id

REQUIRED = {
    "webhook_url": 2000,
    "address": 255,
    "phone_number": 32,
    "order_key": 100,
    "status": 50,
    "currency": 20,
}


class SendTestCase(TestCase):
    def setUp(self):
        base.fresh(self)
        self.api = base.client()

    def send(self, *messages, many=False):
        return self.api.post(SEND, list(messages) if many else messages[0])

    def assert_refused(self, response, status, *fields):
        self.assertEqual(response.status_code, status, response.content)
        self.assertEqual(response.headers["Content-Type"], "application/problem+json")
        self.assertEqual([error["field"] for error in response.json()["errors"]], list(fields))


class AcceptTests(SendTestCase):
    def test_a_message_is_answered_with_its_task(self):
        response = self.send(body())
        self.assertEqual(response.status_code, 202)
        message = Message.objects.select_related("task").get()
        url = f"http://testserver/api/v1/consumer/tasks/{message.task.task_id}/"
        expected = {"task_id": message.task.task_id, "status": "PENDING", "url": url}
        self.assertEqual(response.json(), expected)
        self.assertEqual(response.headers["Location"], url)
        self.assertEqual(str(uuid.UUID(message.task.task_id)), message.task.task_id)

    def test_the_task_can_be_read_at_the_url_answered(self):
        task = self.api.get(self.send(body()).json()["url"])
        self.assertEqual((task.status_code, task.json()["status"]), (200, "PENDING"))

    def test_all_that_was_sent_is_kept(self):
        given = body(message_id=new_id(), webhook_api_key=base.KEY)
        self.send(given)
        message = Message.objects.get()
        self.assertEqual({name: str(getattr(message, name)) for name in given}, given)
        self.assertEqual(message.state, State.PROCESSING)
        self.assertEqual(message.host.name, base.PRODUCER)

    def test_the_requests_id_is_kept_for_the_webhook(self):
        self.api.post(SEND, body(), headers={"X-Request-ID": "order-42"})
        self.assertEqual(Message.objects.get().request_id, "order-42")

    def test_the_id_of_the_request_that_placed_its_order_wins(self):
        self.api.post(SEND, body(request_id="order-42"), headers={"X-Request-ID": "of-a-batch"})
        self.assertEqual(Message.objects.get().request_id, "order-42")

    def test_one_that_is_no_request_id_is_refused(self):
        for odd in ("", "a b", "x" * 65, "a\tb", "é"):
            response = self.send(body(request_id=odd))
            self.assert_refused(response, 400, "request_id")

    def test_another_request_id_makes_it_no_other_message(self):
        given = body(message_id=new_id(), request_id="first")
        tasks = [self.send(given | {"request_id": one}).json() for one in ("first", "again")]
        self.assertEqual(tasks[0], tasks[1])
        self.assertEqual(Message.objects.get().request_id, "first")

    def test_a_message_without_an_id_gets_one_of_its_own_each_time(self):
        self.assertNotEqual(self.send(body()).json(), self.send(body()).json())
        self.assertEqual((base.count(), base.tasks()), (2, 2))

    def test_unknown_fields_are_ignored(self):
        self.assertEqual(self.send(body(total_paid="50.000", task_id="mine")).status_code, 202)

    def test_fields_as_long_as_they_may_be_are_taken(self):
        longest = {name: "x" * length for name, length in REQUIRED.items()}
        longest["webhook_url"] = base.HOOK + "?" + "x" * (1999 - len(base.HOOK))
        self.assertEqual(self.send(longest).status_code, 202)

    def test_a_path_without_its_last_slash_is_the_same(self):
        self.assertEqual(self.api.post(SEND.rstrip("/"), body()).status_code, 202)

    def test_a_list_is_answered_by_a_list_in_the_same_order(self):
        ids = sorted((new_id() for _ in range(3)), reverse=True)
        response = self.send(*(body(message_id=one) for one in ids), many=True)
        self.assertEqual(response.status_code, 202)
        self.assertNotIn("Location", response.headers)
        tasks = [TaskResult.objects.get(message__message_id=one).task_id for one in ids]
        self.assertEqual([task["task_id"] for task in response.json()], tasks)

    def test_a_list_of_one_is_answered_by_a_list(self):
        self.assertEqual(len(self.send(body(), many=True).json()), 1)

    def test_a_list_of_100_is_taken(self):
        self.assertEqual(self.send(*[body()] * 100, many=True).status_code, 202)
        self.assertEqual(base.count(), 100)


class RefuseTests(SendTestCase):
    def test_each_field_is_required(self):
        for name in REQUIRED:
            with self.subTest(name):
                self.assert_refused(self.send(body(**{name: None})), 400, name)

    def test_no_field_may_be_empty_null_too_long_or_something_else(self):
        for name, length in REQUIRED.items():
            for value in ("", "  ", None, "x" * (length + 1), ["x"], {"x": 1}, True, "a\x00b"):
                with self.subTest(name, value=str(value)[:10]):
                    self.assert_refused(self.send(body() | {name: value}), 400, name)
        self.assertEqual(base.count(), 0)

    def test_the_message_id_must_be_a_uuid(self):
        for value in ("", "1", None, [], "c151efba-f415-4d2a-8b8f-161f30456afg"):
            with self.subTest(value=value):
                self.assert_refused(self.send(body() | {"message_id": value}), 400, "message_id")

    def test_the_webhooks_key_must_be_one_printable_word(self):
        for value in ("", None, "two words", "a\r\nb", "ключ", "x" * 256):
            with self.subTest(value=value):
                given = body() | {"webhook_api_key": value}
                self.assert_refused(self.send(given), 400, "webhook_api_key")

    def test_a_webhook_url_that_must_not_be_called_is_refused(self):
        for url in (
            "http://127.0.0.1:7001/",
            "http://[::1]/",
            "ftp://shop.example/",
            "x",
            "http://user@shop.example/",
            "http://shop.example:22/",
            "http://2130706433/",
        ):
            with self.subTest(url):
                self.assert_refused(self.send(body(webhook_url=url)), 400, "webhook_url")

    def test_an_address_not_public_is_taken_where_its_origin_is_allowed(self):
        base.allow(self, "http://10.0.0.7:9000")
        given = body(webhook_url="http://10.0.0.7:9000/hook")
        self.assertEqual(self.send(given).status_code, 202)

    def test_a_list_with_a_bad_message_is_refused_whole_and_names_it(self):
        bad = body(webhook_url="x")
        response = self.send(bad, body(), body(address=""), body(currency=None), many=True)
        self.assert_refused(response, 400, "0.webhook_url", "2.address", "3.currency")
        self.assertEqual((base.count(), base.tasks()), (0, 0))

    def test_a_list_whose_member_is_no_object_names_it(self):
        for messages, field in (
            (["x"], "0"), ([None], "0"), ([body(), None], "1"), ([body(), 7], "1"), ([[]], "0")
        ):  # fmt: skip
            with self.subTest(messages=messages):
                self.assert_refused(self.send(*messages, many=True), 400, field)

    def test_an_empty_list_and_one_of_101_are_refused(self):
        for messages in ([], [body()] * 101):
            with self.subTest(length=len(messages)):
                self.assertEqual(self.send(*messages, many=True).status_code, 400)
        self.assertEqual(base.count(), 0)

    def test_what_is_no_message_is_refused(self):
        for text in ("null", "1", '"x"', "true", "", "{", "[[]]", "[null]", "{}", "\xff", "[1]"):
            with self.subTest(text):
                response = self.api.post(SEND, text, content_type="application/json")
                self.assertEqual(response.status_code, 400, response.content)

    def test_of_two_lists_that_overlap_the_second_stores_nothing_when_a_body_differs(self):
        known = new_id()
        self.send(body(message_id=known), many=True)
        response = self.send(body(), body(message_id=known, address="Tunis"), many=True)
        self.assert_refused(response, 422, "1.message_id")
        self.assertEqual(base.count(), 1)


class AgainTests(SendTestCase):
    def test_the_same_message_again_is_answered_the_same_and_runs_nothing(self):
        given = body(message_id=new_id())
        first = self.send(given)
        with self.captureOnCommitCallbacks() as callbacks, mock.patch.object(bell, "publish") as go:
            again = self.send(given)
            for callback in callbacks:
                callback()
        self.assertEqual((again.status_code, again.json()), (202, first.json()))
        self.assertEqual(again.headers["Location"], first.headers["Location"])
        self.assertEqual((base.count(), base.tasks()), (1, 1))
        go.assert_not_called()

    def test_an_id_is_the_same_however_it_is_written(self):
        known = new_id()
        answers = [
            self.send(body(message_id=text)).json()
            for text in (known, known.upper(), known.replace("-", ""), f"urn:uuid:{known}")
        ]
        self.assertEqual(answers, [answers[0]] * 4)
        self.assertEqual(base.count(), 1)

    def test_the_answer_tells_how_the_task_stands_now(self):
        message = finished()
        again = self.send(body(message_id=str(message.message_id)))
        self.assertEqual(again.json()["status"], "SUCCESS")

    def test_the_same_id_with_another_body_is_422(self):
        message = accept()
        for name in ("address", "phone_number", "order_key", "status", "currency"):
            with self.subTest(name):
                given = body(message_id=str(message.message_id), **{name: "other"})
                self.assert_refused(self.send(given), 422, "message_id")
        self.assertEqual(base.count(), 1)

    def test_the_same_id_twice_in_a_list_is_one_message(self):
        given = body(message_id=new_id())
        response = self.send(given, body(), given, many=True)
        tasks = [task["task_id"] for task in response.json()]
        self.assertEqual((tasks[0] == tasks[2], tasks[0] == tasks[1]), (True, False))
        self.assertEqual((base.count(), base.tasks()), (2, 2))

    def test_the_same_id_twice_in_a_list_with_two_bodies_is_422_and_stores_nothing(self):
        known = new_id()
        response = self.send(
            body(message_id=known), body(message_id=known, address="Tunis"), many=True
        )
        self.assert_refused(response, 422, "1.message_id")
        self.assertEqual(base.count(), 0)

    def test_another_url_and_key_are_no_other_body_and_the_last_ones_are_used(self):
        message = accept(webhook_api_key="first.key")
        url = base.HOOK + "?again"
        given = body(message_id=str(message.message_id), webhook_url=url, webhook_api_key="second")
        self.assertEqual(self.send(given).status_code, 202)
        message.refresh_from_db()
        self.assertEqual((message.webhook_url, message.webhook_api_key), (url, "second"))

    def test_a_message_asked_about_without_a_key_has_none_any_longer(self):
        message = accept(webhook_api_key="first.key")
        self.send(body(message_id=str(message.message_id)))
        message.refresh_from_db()
        self.assertEqual(message.webhook_api_key, "")

    def test_another_origin_is_another_host(self):
        message = accept()
        given = body(message_id=str(message.message_id), webhook_url="https://shop.example/hook")
        self.send(given)
        message.refresh_from_db()
        self.assertEqual(message.host.name, "https://shop.example:443")
        self.assertEqual(Host.objects.count(), 2)

    def test_of_one_id_twice_in_a_list_the_last_url_is_used(self):
        known = new_id()
        self.send(
            body(message_id=known), body(message_id=known, webhook_url=base.HOOK + "?2"), many=True
        )
        self.assertEqual(Message.objects.get().webhook_url, base.HOOK + "?2")

    def test_what_fails_after_the_commit_is_not_answered_as_if_nothing_was_stored(self):
        known = new_id()
        self.send(body(message_id=known))
        held = mock.patch.object(  # somebody holds the known one's row
            MessageQuerySet, "select_for_update", lambda rows, **options: rows.none()
        )
        following = mock.patch.object(
            acceptance, "_use_what_was_sent_last", side_effect=[None, OperationalError("locked")]
        )
        with (
            held,
            following as use,
            mock.patch.object(bell, "publish") as published,
            self.assertLogs("django", "ERROR"),
            self.captureOnCommitCallbacks(execute=True),
        ):
            response = self.send(body(message_id=known), body(), many=True)
        self.assertEqual((response.status_code, use.call_count), (202, 2))
        self.assertEqual(published.call_count, 1)

    def test_asking_again_takes_up_a_delivery_whatever_its_end(self):
        for state in (State.DELIVERED, State.GONE, State.DEAD):
            with self.subTest(state):
                message = finished()
                Message.objects.filter(pk=message.pk).update(
                    state=state, due_at=None, attempts=12, last_error="500", webhook_api_key=""
                )
                given = body(message_id=str(message.message_id), webhook_api_key=base.KEY)
                self.assertEqual(self.send(given).json()["status"], "SUCCESS")
                claims = message.claims
                message.refresh_from_db()
                self.assertEqual((message.state, message.attempts), (State.DELIVERING, 0))
                self.assertEqual((message.last_error, message.webhook_api_key), ("", base.KEY))
                self.assertGreater(message.claims, claims)
                self.assertLessEqual(base.seconds_until(message), 0)

    def test_asking_again_leaves_a_delivery_that_has_not_ended_to_its_schedule(self):
        message = finished()
        Message.objects.filter(pk=message.pk).update(attempts=5)
        base.due_in(message, 1800)
        self.send(body(message_id=str(message.message_id)))
        message.refresh_from_db()
        self.assertEqual((message.state, message.attempts), (State.DELIVERING, 5))
        self.assertGreater(base.seconds_until(message), 1700)

    def test_asking_again_leaves_a_message_in_process_to_its_schedule(self):
        message = accept()
        before = Message.objects.values("due_at", "claims", "attempts", "state").get()
        self.send(body(message_id=str(message.message_id)))
        self.assertEqual(
            Message.objects.values("due_at", "claims", "attempts", "state").get(), before
        )

    def test_a_list_of_new_and_known_messages_takes_each_as_it_is(self):
        old, ended = accept(), finished(order_key="B")
        Message.objects.filter(pk=ended.pk).update(state=State.DEAD)
        response = self.send(
            body(message_id=str(ended.message_id), order_key="B"),
            body(),
            body(message_id=str(old.message_id)),
            many=True,
        )
        found = [(task["task_id"], task["status"]) for task in response.json()]
        self.assertEqual(found[0], (ended.task.task_id, "SUCCESS"))
        self.assertEqual(found[2], (old.task.task_id, "PENDING"))
        self.assertEqual(base.count(), 3)
        self.assertEqual(base.count(state=State.DELIVERING), 1)

    def test_a_deleted_task_takes_its_message_along_and_asking_again_makes_both_anew(self):
        message = finished()
        TaskResult.objects.all().delete()
        self.assertEqual(base.count(), 0)
        again = self.send(body(message_id=str(message.message_id)))
        self.assertEqual((again.status_code, again.json()["status"]), (202, "PENDING"))
        self.assertNotEqual(again.json()["task_id"], message.task.task_id)
        anew = Message.objects.get()
        self.assertEqual((anew.message_id, anew.state), (message.message_id, State.PROCESSING))


class DatabaseAwayTests(SendTestCase):
    def test_without_the_database_it_is_503_with_a_time_to_come_back(self):
        with (
            base.failing_statement('INSERT INTO "messaging_message"'),
            self.assertLogs("django.request", "ERROR"),
        ):
            response = self.send(body())
        self.assertEqual(response.status_code, 503)
        self.assertEqual(response.headers["Retry-After"], "2")
        self.assertNotIn("Operational", response.content.decode())
        self.assertEqual(base.tasks(), 0)

    def test_messages_that_others_store_all_the_time_are_a_conflict_in_the_end(self):
        failure = mock.patch.object(acceptance, "_create", side_effect=IntegrityError("twice"))
        with failure as create:
            response = self.send(body())
        self.assertEqual((response.status_code, create.call_count), (409, acceptance.TRIES))


class FinishedStateTests(SendTestCase):
    def test_a_failed_task_is_asked_about_like_any_other(self):
        message = finish(accept(), state=states.FAILURE, result="no")
        again = self.send(body(message_id=str(message.message_id)))
        self.assertEqual((again.status_code, again.json()["status"]), (202, "FAILURE"))
