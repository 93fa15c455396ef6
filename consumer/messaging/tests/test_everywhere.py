"""What holds for every endpoint: errors as problems, limits of bodies, methods and queries."""

import io
import json
import random
from unittest import mock

from django.db import OperationalError, connection
from django.test import TestCase, override_settings
from django_celery_results.models import TaskResult

from chassis.fuzzing import ODD
from messaging.tests import base
from messaging.tests.base import PROCESS, SEND, TASKS, accept, body

MIB = 2**20


class EverywhereTestCase(TestCase):
    def setUp(self):
        base.fresh(self)
        self.api = base.client()

    def paths(self):
        task = f"{TASKS}{accept().task.task_id}/"
        return (SEND, PROCESS, TASKS, task, task + "redeliver/")

    def assert_problem(self, response, status):
        self.assertEqual(response.status_code, status, response.content[:300])
        self.assertEqual(response.headers["Content-Type"], "application/problem+json")
        problem = response.json()
        self.assertEqual(problem["status"], status)
        self.assertLessEqual({"type", "title", "status", "detail"}, set(problem))
        return problem


class ProblemTests(EverywhereTestCase):
    def test_methods_that_an_endpoint_lacks_are_405(self):
        allowed = ("POST", "POST", "GET POST", "GET PUT PATCH DELETE", "POST")
        for path, given in zip(self.paths(), allowed, strict=True):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"):
                if method not in given.split():
                    with self.subTest(path=path, method=method):
                        response = self.api.generic(method, path)
                        self.assert_problem(response, 405)
                        self.assertLessEqual(set(given.split()), set(response["Allow"].split(", ")))

    def test_head_answers_like_get_and_options_like_no_error(self):
        for path in self.paths():
            with self.subTest(path):
                response = self.api.options(path)
                self.assertLess(response.status_code, 500, response.content[:300])
                if response.status_code == 200:
                    self.assertIn("Allow", response.headers)
        self.assertEqual(self.api.head(TASKS).status_code, 200)

    def test_an_unknown_path_is_a_problem_with_debug_on_too(self):
        for debug in (False, True):
            for path in ("/api/", "/api/v1/consumer/", "/api/v1/consumer/other/", TASKS + "a/b/c/"):
                with self.subTest(path, debug=debug), override_settings(DEBUG=debug):
                    self.assert_problem(self.api.get(path), 404)

    def test_a_last_slash_may_be_missing_or_added_without_a_redirect(self):
        for path in self.paths():
            for given in (path, path.rstrip("/")):
                with self.subTest(given), base.undone():
                    codes = {self.api.get(given).status_code, self.api.post(given).status_code}
                    self.assertFalse(codes & {301, 302, 307, 308, 404, 500}, codes)

    def test_an_error_shows_neither_html_nor_a_stack_trace_with_debug_on(self):
        with override_settings(DEBUG=True):
            for path in self.paths():
                response = self.api.post(path, "{", content_type="application/json")
                self.assertNotIn(b"<", response.content)
                self.assertNotIn(b"Traceback", response.content)

    def test_an_error_nobody_thought_of_is_a_500_without_a_word_about_it(self):
        broken = mock.patch.object(TaskResult.objects, "select_related", side_effect=KeyError("x7"))
        with broken, self.assertLogs("django.request", "ERROR"):
            problem = self.assert_problem(self.api.get(TASKS), 500)
        self.assertNotIn("x7", json.dumps(problem))

    def test_without_the_database_everything_is_503_with_a_time_to_come_back(self):
        def away(*args):
            raise OperationalError("server closed the connection")

        for path in self.paths():
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                with (
                    self.subTest(path, method=method),
                    connection.execute_wrapper(away),
                    self.assertLogs("django.request", "ERROR"),
                ):
                    response = self.api.generic(method, path, "{}", content_type="application/json")
                    self.assertEqual(response.headers["Retry-After"], "2")
                    self.assertNotIn("closed", json.dumps(self.assert_problem(response, 503)))

    def test_an_answer_carries_the_requests_id(self):
        response = self.api.get(TASKS, headers={"X-Request-ID": "abc-1"})
        self.assertEqual(response.headers["X-Request-ID"], "abc-1")
        response = self.api.get(TASKS, headers={"X-Request-ID": "two words"})
        self.assertRegex(response.headers["X-Request-ID"], r"\A[0-9a-f]{32}\Z")


class BodyTests(EverywhereTestCase):
    def post(self, path, text, content_type="application/json"):
        return self.api.generic("POST", path, text, content_type=content_type)

    def test_another_content_type_is_415(self):
        for path in (SEND, PROCESS, TASKS):
            for kind in (
                "text/plain",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
            ):
                with self.subTest(path, kind=kind):
                    self.assert_problem(self.post(path, "a=1", kind), 415)

    def test_a_body_over_1_mib_is_413_and_one_below_is_read(self):
        for path in (SEND, PROCESS, TASKS):
            text = json.dumps(body(address=""))
            with self.subTest(path):
                self.assert_problem(self.post(path, text + " " * (MIB - len(text))), 400)
                self.assert_problem(self.post(path, text + " " * (MIB - len(text) + 1)), 413)

    def test_a_body_of_several_mib_is_read_before_it_is_refused(self):
        stream = io.BytesIO(b" " * (9 * MIB))
        response = self.api.generic(
            "POST",
            SEND,
            content_type="application/json",
            **{"wsgi.input": stream, "CONTENT_LENGTH": str(9 * MIB)},
        )
        self.assert_problem(response, 413)
        self.assertEqual(stream.tell(), 8 * MIB)

    def test_json_deeper_than_32_is_400(self):
        for path in (SEND, PROCESS, TASKS):
            for depth in (33, 1000, 100_000):
                with self.subTest(path, depth=depth):
                    self.assert_problem(self.post(path, "[" * depth + "]" * depth), 400)
                    text = '{"a":' * depth + "1" + "}" * depth
                    self.assert_problem(self.post(path, text), 400)

    def test_a_result_of_31_levels_in_its_object_is_taken(self):
        given = {"task_id": "deep", "status": "SUCCESS", "result": 1}
        for _ in range(31):
            given["result"] = [given["result"]]
        self.assertEqual(self.api.post(TASKS, given).status_code, 201)
        given = {"task_id": "deeper", "status": "SUCCESS", "result": [given["result"]]}
        self.assert_problem(self.api.post(TASKS, given), 400)

    def test_what_is_no_json_is_400(self):
        for text in (
            b"",
            b"{",
            b"{'a': 1}",
            b"\xff\xfe",
            b"\xef\xbb\xbf{}",
            b"[1,]",
            b"1" * 5000,
            b"nul",
            b'"\x00"',
            b"NaN",
            b"{}{}",
            "{\u201cа\u201d: 1}".encode(),
        ):
            for path in (SEND, PROCESS, TASKS):
                with self.subTest(path, text=text[:10]):
                    self.assert_problem(self.post(path, text), 400)


class QueryTests(EverywhereTestCase):
    """Some hundred queries, the same at each run: none may end in a 500, and all in JSON."""

    def assert_sound(self, response, given):
        self.assertLess(response.status_code, 500, f"{given!r:.400}: {response.content[:300]}")
        if response.status_code != 204:
            json.loads(response.content)
        if response.status_code >= 400:
            self.assertEqual(response.headers["Content-Type"], "application/problem+json")

    def test_any_query_is_answered(self):
        chance = random.Random(3)
        names = (
            "status",
            "message_id",
            "created_after",
            "created_before",
            "page_size",
            "cursor",
            "x",
        )
        values = [str(value) for value in ODD if value != "\ud800"]  # it has no form in a URL
        values += [
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "2026-01-01",
            "1e3",
            "2026-02-30T00:00:00Z",
            "cD0x",
            "cj0xJnA9MQ==",
            "bz0xMDAwMDAw",
            "2026-01-01T00:00:00",
        ]
        accept()
        for _ in range(300):
            query = {name: chance.choice(values) for name in chance.sample(names, 2)}
            self.assert_sound(self.api.get(TASKS, query), query)
