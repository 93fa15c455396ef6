"""tasks/: what is shown of a task, what can be written by hand, and sending a result again."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta

from celery import states
from django.test import TestCase
from django_celery_results.models import TaskResult

from chassis.testing import deleted_before
from messaging import services
from messaging.models import DeliveryAttempt, Message, State
from messaging.tests import base
from messaging.tests.base import TASKS, accept, finish, finished

BY_HAND = {"task_id": "by-hand", "status": "SUCCESS", "result": {"a": [1, "ü"]}}
FIELDS = {
    "task_id", "status", "result", "date_created", "date_done", "message_id", "order_key",
    "delivery",
}  # fmt: skip


class TasksTestCase(TestCase):
    def setUp(self):
        base.fresh(self)
        self.api = base.client()

    def url(self, task, more=""):
        return f"{TASKS}{task.task_id}/{more}"

    def get(self, task):
        return self.api.get(self.url(task)).json()

    def ids(self, **query):
        response = self.api.get(TASKS, query)
        self.assertEqual(response.status_code, 200, response.content)
        return [task["task_id"] for task in response.json()["results"]]

    def assert_problem(self, response, status, *fields):
        self.assertEqual(response.status_code, status, response.content)
        self.assertEqual(response.headers["Content-Type"], "application/problem+json")
        found = [error["field"] for error in response.json().get("errors", [])]
        self.assertEqual(found, list(fields))


class ShowTests(TasksTestCase):
    def test_a_task_in_process_has_no_result_and_no_end(self):
        message = accept()
        shown = self.get(message.task)
        self.assertEqual(set(shown), FIELDS)
        self.assertEqual(
            (shown["status"], shown["result"], shown["date_done"]), ("PENDING", None, None)
        )
        self.assertEqual(
            (shown["message_id"], shown["order_key"]), (str(message.message_id), "ABC123")
        )
        self.assertEqual(shown["delivery"]["state"], "processing")

    def test_a_finished_task_shows_its_result_decoded(self):
        shown = self.get(finished().task)
        self.assertEqual((shown["status"], shown["result"]), ("SUCCESS", "USDABC123pending"))
        to_ms = len("2026-11-24T09:00:00.090")  # the resolution of SQLite's clock
        self.assertGreaterEqual(shown["date_done"][:to_ms], shown["date_created"][:to_ms])

    def test_a_failed_task_shows_a_short_reason_and_never_its_traceback(self):
        message = accept()
        finish(
            message,
            state=states.FAILURE,
            result={"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "m"},
        )
        TaskResult.objects.update(traceback="Traceback (most recent call last)")
        response = self.api.get(self.url(message.task))
        self.assertEqual(response.json()["result"], "ValueError: no")
        self.assertNotIn("Traceback", response.content.decode())
        self.assertNotIn("Traceback", self.api.get(TASKS).content.decode())

    def test_times_are_utc_as_rfc_3339_has_them(self):
        shown = self.get(finished().task)
        for time in (shown["date_created"], shown["date_done"], shown["delivery"]["due_at"]):
            self.assertTrue(time.endswith("Z"), time)
            self.assertIsNotNone(datetime.fromisoformat(time).tzinfo)

    def test_the_delivery_is_shown_with_its_log(self):
        message = finished()
        base.webhook_answers(self, 503, base.answer(None, error="connection refused"))
        base.deliver()
        base.due_in(message, 0)
        base.deliver()
        shown = self.get(message.task)["delivery"]
        self.assertEqual(set(shown), {"state", "attempts", "due_at", "last_error", "log"})
        self.assertEqual((shown["state"], shown["attempts"]), ("delivering", 2))
        self.assertEqual(shown["last_error"], "connection refused")
        log = [(entry["ms"], entry["status"], entry["error"]) for entry in shown["log"]]
        self.assertEqual(log, [(7, 503, ""), (7, None, "connection refused")])

    def test_of_a_long_log_the_newest_20_are_shown_the_oldest_first(self):
        message, now = finished(), datetime.now(UTC)
        for number in range(25):
            at = now + timedelta(seconds=number)
            DeliveryAttempt.objects.create(message=message, at=at, ms=number, status=503)
        log = self.get(message.task)["delivery"]["log"]
        self.assertEqual([entry["ms"] for entry in log], list(range(5, 25)))

    def test_each_task_of_a_page_shows_its_own_log(self):
        messages = [finished() for _ in range(3)]
        for number, message in enumerate(messages):
            for _ in range(22):
                DeliveryAttempt.objects.create(message=message, at=datetime.now(UTC), ms=number)
        logs = [task["delivery"]["log"] for task in self.api.get(TASKS).json()["results"]]
        self.assertEqual([{entry["ms"] for entry in log} for log in logs], [{2}, {1}, {0}])
        self.assertEqual([len(log) for log in logs], [20, 20, 20])

    def test_neither_key_nor_address_is_shown(self):
        message = finished(webhook_api_key=base.KEY, address="13 Secret St")
        content = self.api.get(self.url(message.task)).content.decode()
        self.assertNotIn(base.KEY, content)
        self.assertNotIn("Secret", content)

    def test_a_task_without_a_message_shows_no_delivery(self):
        self.api.post(TASKS, BY_HAND)
        shown = self.api.get(TASKS + "by-hand/").json()
        self.assertEqual((shown["message_id"], shown["order_key"], shown["delivery"]), (None,) * 3)

    def test_a_result_that_is_no_json_is_shown_as_it_is(self):
        TaskResult.objects.create(task_id="odd", status="SUCCESS", result="not json")
        self.assertEqual(self.api.get(TASKS + "odd/").json()["result"], "not json")

    def test_unknown_tasks_are_404(self):
        for name in ("no-such", "a%00b", "%FF", "x" * 300, "%F0%9F%98%80"):
            with self.subTest(name[:10]):
                self.assert_problem(self.api.get(f"{TASKS}{name}/"), 404)


class ListTests(TasksTestCase):
    def test_tasks_come_newest_first(self):
        made = [accept().task.task_id for _ in range(3)]
        self.assertEqual(self.ids(), made[::-1])

    def test_pages_follow_each_other_without_count_gap_or_repeat(self):
        made = [accept().task.task_id for _ in range(7)]
        found, url = [], TASKS + "?page_size=3"
        while url:
            page = self.api.get(url).json()
            self.assertEqual(set(page), {"next", "previous", "results"})
            found += [task["task_id"] for task in page["results"]]
            url = page["next"]
        self.assertEqual(found, made[::-1])

    def test_a_page_leads_back(self):
        made = [accept().task.task_id for _ in range(4)]
        second = self.api.get(self.api.get(TASKS, {"page_size": 2}).json()["next"]).json()
        first = self.api.get(second["previous"]).json()
        self.assertEqual([task["task_id"] for task in first["results"]], made[:1:-1])

    def test_a_page_has_25_tasks_and_at_most_100(self):
        TaskResult.objects.bulk_create(TaskResult(task_id=f"t{n}") for n in range(120))
        sizes = [len(self.ids(**query)) for query in ({}, {"page_size": 60}, {"page_size": 1000})]
        self.assertEqual(sizes, [25, 60, 100])

    def test_they_can_be_filtered_by_status(self):
        pending, done = accept(), finished()
        self.assertEqual(self.ids(status="PENDING"), [pending.task.task_id])
        self.assertEqual(self.ids(status="SUCCESS"), [done.task.task_id])
        self.assertEqual(self.ids(status="REVOKED"), [])

    def test_they_can_be_filtered_by_message(self):
        message, _ = accept(), accept()
        self.assertEqual(self.ids(message_id=str(message.message_id)), [message.task.task_id])
        self.assertEqual(self.ids(message_id=base.new_id()), [])

    def test_they_can_be_filtered_by_time(self):
        old, new = accept().task, accept().task
        day = datetime(2026, 3, 1, tzinfo=UTC)
        TaskResult.objects.filter(pk=old.pk).update(date_created=day)
        self.assertEqual(self.ids(created_before="2026-03-02T00:00:00Z"), [old.task_id])
        self.assertEqual(self.ids(created_after="2026-03-02T00:00:00Z"), [new.task_id])
        self.assertEqual(
            self.ids(
                created_after="2026-03-01T00:00:00Z", created_before="2026-03-01T01:00:00+01:00"
            ),
            [],
        )
        self.assertEqual(
            self.ids(
                created_after="2026-03-01T01:00:00+01:00", created_before="2026-03-02T00:00:00Z"
            ),
            [old.task_id],
        )

    def test_filters_hold_on_the_next_page(self):
        for _ in range(3):
            accept(), finished()
        page = self.api.get(TASKS, {"status": "SUCCESS", "page_size": 2}).json()
        again = self.api.get(page["next"]).json()
        self.assertEqual([task["status"] for task in again["results"]], ["SUCCESS"])

    def test_a_bad_filter_page_size_or_cursor_is_400(self):
        for name, value in (
            ("status", "success"), ("status", "x"), ("message_id", "1"), ("created_after", "soon"),
            ("created_before", "2026-13-01"), ("page_size", "0"), ("page_size", "-1"),
            ("page_size", "ten"), ("page_size", "٣"), ("cursor", "x"), ("cursor", "cD1h"),
            ("cursor", "é"), ("cursor", "cD0lMDA="), ("status", "a\x00"), ("message_id", "\x00"),
        ):  # fmt: skip
            with self.subTest(name, value=value):
                accept()
                self.assert_problem(self.api.get(TASKS, {name: value}), 400, name)

    def test_an_empty_filter_filters_nothing(self):
        accept()
        self.assertEqual(len(self.ids(status="", message_id="", created_after="")), 1)

    def test_a_cursor_far_beyond_all_is_an_empty_page_or_a_refusal(self):
        accept()
        for text in ("p=-99999999999999999999", "p=" + "9" * 30, "r=1&p=" + "9" * 30, "o=9&p=0"):
            cursor = b64encode(text.encode()).decode()
            with self.subTest(text):
                self.assertIn(self.api.get(TASKS, {"cursor": cursor}).status_code, (200, 400))


class ByHandTests(TasksTestCase):
    def test_a_row_written_by_hand_is_shown_and_runs_and_delivers_nothing(self):
        hook = base.webhook_answers(self)
        with self.captureOnCommitCallbacks() as callbacks:
            response = self.api.post(TASKS, BY_HAND)
        self.assertEqual(response.status_code, 201)
        self.assertEqual({name: response.json()[name] for name in BY_HAND}, BY_HAND)
        self.assertEqual(self.api.get(TASKS + "by-hand/").json(), response.json())
        base.deliver()
        self.assertEqual((callbacks, hook.calls, base.count()), ([], [], 0))

    def test_any_of_celerys_states_can_be_written_and_final_ones_alone_have_an_end(self):
        for state in sorted(states.ALL_STATES):
            with self.subTest(state):
                given = {"task_id": state, "status": state, "result": None}
                response = self.api.post(TASKS, given)
                self.assertEqual((response.status_code, response.json()["status"]), (201, state))
                is_final = state in ("SUCCESS", "FAILURE", "REVOKED")
                self.assertEqual(response.json()["date_done"] is not None, is_final)

    def test_any_json_is_a_result(self):
        for number, result in enumerate((None, "", "x", 0, 1.5, True, [], {"a": None}, "\u0000")):
            with self.subTest(result=result):
                given = {"task_id": f"t{number}", "status": "SUCCESS", "result": result}
                self.assertEqual(self.api.post(TASKS, given).json()["result"], result)
                self.assertEqual(self.api.get(f"{TASKS}t{number}/").json()["result"], result)

    def test_a_task_id_that_is_there_already_is_400(self):
        for task_id in ("by-hand", accept().task.task_id):
            with self.subTest(task_id):
                self.api.post(TASKS, BY_HAND)
                response = self.api.post(TASKS, BY_HAND | {"task_id": task_id})
                self.assert_problem(response, 400, "task_id")
                self.assertEqual(response.json()["errors"][0]["code"], "unique")
        self.assertEqual(TaskResult.objects.get(task_id="by-hand").status, "SUCCESS")

    def test_bad_rows_are_refused(self):
        for changes, field in (
            ({"task_id": ""}, "task_id"), ({"task_id": "x" * 256}, "task_id"),
            ({"task_id": None}, "task_id"), ({"task_id": "a\x00"}, "task_id"),
            ({"task_id": "a/b"}, "task_id"),
            ({"status": "done"}, "status"), ({"status": ""}, "status"), ({"status": []}, "status"),
            ({"status": None}, "status"),
        ):  # fmt: skip
            with self.subTest(**changes):
                self.assert_problem(self.api.post(TASKS, BY_HAND | changes), 400, field)
        for name in BY_HAND:
            given = {key: value for key, value in BY_HAND.items() if key != name}
            with self.subTest(missing=name):
                self.assert_problem(self.api.post(TASKS, given), 400, name)

    def test_numbers_and_text_that_no_answer_could_show_again_are_refused(self):
        for text in ("1e999", "-1e999", "NaN", "Infinity", '"\\ud800"', '{"\\uDFFF": 1}'):
            with self.subTest(text):
                given = f'{{"task_id": "t", "status": "SUCCESS", "result": {text}}}'
                response = self.api.post(TASKS, given, content_type="application/json")
                self.assert_problem(response, 400)

    def test_half_of_a_pair_beside_its_other_half_is_text(self):
        given = '{"task_id": "t", "status": "SUCCESS", "result": "\\ud83d\\ude00"}'
        response = self.api.post(TASKS, given, content_type="application/json")
        self.assertEqual((response.status_code, response.json()["result"]), (201, "😀"))

    def test_put_replaces_status_and_result_and_patch_what_is_given(self):
        self.api.post(TASKS, BY_HAND)
        response = self.api.put(TASKS + "by-hand/", {"status": "FAILURE", "result": "no"})
        self.assertEqual(response.status_code, 200)
        self.assertEqual((response.json()["status"], response.json()["result"]), ("FAILURE", "no"))
        response = self.api.patch(TASKS + "by-hand/", {"result": 7})
        self.assertEqual((response.json()["status"], response.json()["result"]), ("FAILURE", 7))
        self.assertEqual(self.api.get(TASKS + "by-hand/").json(), response.json())

    def test_put_needs_both_and_patch_takes_nothing_too(self):
        self.api.post(TASKS, BY_HAND)
        self.assert_problem(self.api.put(TASKS + "by-hand/", {"status": "FAILURE"}), 400, "result")
        self.assert_problem(self.api.patch(TASKS + "by-hand/", {"status": "x"}), 400, "status")
        self.assertEqual(self.api.patch(TASKS + "by-hand/", {}).status_code, 200)

    def test_the_task_id_stays(self):
        self.api.post(TASKS, BY_HAND)
        response = self.api.patch(TASKS + "by-hand/", {"task_id": "other", "result": 1})
        self.assertEqual(response.json()["task_id"], "by-hand")

    def test_one_deleted_since_it_was_looked_up_is_404_and_stays_deleted(self):
        self.api.post(TASKS, BY_HAND)
        with deleted_before("UPDATE", TaskResult.objects.all()):
            self.assert_problem(self.api.patch(TASKS + "by-hand/", {"result": 1}), 404)
        self.assertFalse(TaskResult.objects.exists())

    def test_one_can_be_deleted(self):
        self.api.post(TASKS, BY_HAND)
        response = self.api.delete(TASKS + "by-hand/")
        self.assertEqual((response.status_code, response.content), (204, b""))
        self.assert_problem(self.api.delete(TASKS + "by-hand/"), 404)


class WithMessageTests(TasksTestCase):
    def test_a_task_that_has_a_message_can_not_be_edited(self):
        for message in (accept(), finished()):
            for method in (self.api.put, self.api.patch):
                response = method(self.url(message.task), {"status": "FAILURE", "result": "no"})
                self.assert_problem(response, 409)
                message.task.refresh_from_db()
                self.assertNotEqual(message.task.status, "FAILURE")

    def test_it_is_not_deleted_while_it_is_processed_or_delivered(self):
        for message in (accept(), finished()):
            with self.subTest(message.state):
                self.assert_problem(self.api.delete(self.url(message.task)), 409)
                self.assertEqual(base.count(pk=message.pk), 1)

    def test_it_is_deleted_with_all_that_hangs_on_it_once_its_delivery_has_ended(self):
        for state in (State.DELIVERED, State.GONE, State.DEAD):
            with self.subTest(state):
                message = finished()
                Message.objects.filter(pk=message.pk).update(state=state)
                DeliveryAttempt.objects.create(message=message, at=datetime.now(UTC), ms=1)
                self.assertEqual(self.api.delete(self.url(message.task)).status_code, 204)
                self.assertEqual((base.count(), base.tasks()), (0, 0))
                self.assertEqual(DeliveryAttempt.objects.count(), 0)


class RedeliverTests(TasksTestCase):
    def redeliver(self, task):
        return self.api.post(self.url(task, "redeliver/"))

    def test_a_result_whose_delivery_has_ended_is_posted_again_under_the_same_id(self):
        for state in (State.DELIVERED, State.GONE, State.DEAD):
            with self.subTest(state):
                message = finished()
                Message.objects.filter(pk=message.pk).update(state=state, attempts=12, due_at=None)
                with self.captureOnCommitCallbacks() as callbacks:
                    response = self.redeliver(message.task)
                self.assertEqual(response.status_code, 202)
                delivery = response.json()["delivery"]
                self.assertEqual((delivery["state"], delivery["attempts"]), ("delivering", 0))
                self.assertEqual(callbacks, [services.delivery_bell.ring])
                hook = base.webhook_answers(self, 200)
                base.deliver()
                self.assertEqual(hook.headers["webhook-id"], str(message.message_id))

    def test_one_that_waits_for_its_next_try_is_tried_now_with_a_new_schedule(self):
        message = finished()
        Message.objects.update(attempts=9, last_error="503")
        base.due_in(message, 36000)
        delivery = self.redeliver(message.task).json()["delivery"]
        self.assertEqual((delivery["attempts"], delivery["last_error"]), (0, ""))
        self.assertLess(base.seconds_until(message), 1)

    def test_one_in_process_and_one_without_a_message_are_409(self):
        message = accept()
        by_hand = TaskResult.objects.create(task_id="by-hand", status="SUCCESS")
        for task in (message.task, by_hand):
            self.assert_problem(self.redeliver(task), 409)
        message.refresh_from_db()
        self.assertEqual(message.state, State.PROCESSING)

    def test_an_unknown_one_is_404(self):
        self.assert_problem(self.redeliver(TaskResult(task_id="no-such")), 404)

    def test_the_answer_is_the_task_as_get_shows_it(self):
        message = finished()
        given = self.redeliver(message.task).json()
        self.assertEqual(given, self.get(message.task))
        self.assertEqual(json.dumps(given["result"]), message.task.result)
