"""The log's lines, and the id that a request carries through them."""

import io
import json
import logging
import sys
from unittest import TestCase
from unittest.mock import patch

from django.http import FileResponse, HttpResponse
from django.test import RequestFactory

from chassis import logs


def line(message="placed %s", *args, **extra):
    record = logging.LogRecord("orders", logging.WARNING, "f.py", 1, message, args, None)
    vars(record).update(extra)
    return json.loads(logs.JsonFormatter().format(record))


class JsonFormatterTests(TestCase):
    def test_a_line_has_time_level_logger_and_message(self):
        event = line("placed %s", "ABC")
        self.assertRegex(event.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")
        self.assertEqual(event, {"level": "warning", "logger": "orders", "message": "placed ABC"})

    def test_what_was_given_beside_it_is_there_too(self):
        self.assertEqual(line("x", order="ABC", ms=1.5)["order"], "ABC")
        self.assertIn("object", line("x", odd=object())["odd"])

    def test_an_exception_is_there_with_its_trace(self):
        try:
            raise ValueError("no")
        except ValueError:
            record = logging.makeLogRecord({"msg": "x", "exc_info": sys.exc_info()})
        event = json.loads(logs.JsonFormatter().format(record))
        self.assertIn("ValueError: no", event["exception"])

    def test_a_line_is_one_line_whatever_is_in_it(self):
        text = logs.JsonFormatter().format(logging.makeLogRecord({"msg": "a\nb\u2028c"}))
        self.assertEqual(len(text.splitlines()), 1)

    def test_the_requests_id_is_there_within_the_request(self):
        token = logs.request_id.set("abc")
        self.assertEqual(line("x")["request_id"], "abc")
        logs.request_id.reset(token)
        self.assertNotIn("request_id", line("x"))


class ConfigurationTests(TestCase):
    def test_a_clients_mistakes_and_each_seconds_tasks_are_not_logged(self):
        for level, django, celery in (
            ("DEBUG", "ERROR", "WARNING"), ("INFO", "ERROR", "WARNING"),
            ("CRITICAL", "CRITICAL", "CRITICAL"),
        ):  # fmt: skip
            config = logs.logging_config(level, "json")
            self.assertEqual(config["root"]["level"], level)
            self.assertEqual(config["loggers"]["django.request"]["level"], django)
            self.assertEqual(config["loggers"]["celery"]["level"], celery)

    def test_the_style_chooses_the_formatter(self):
        for style in ("json", "console"):
            config = logs.logging_config("INFO", style)
            self.assertEqual(config["handlers"]["stderr"]["formatter"], style)
            self.assertIn(style, config["formatters"])


class CarriedIdsTests(TestCase):
    def test_ids_are_on_every_line_until_the_end(self):
        with logs.carrying("abc", order="o"):
            logs.note(task_id="t")
            event = line("x")
        self.assertEqual((event["request_id"], event["order"], event["task_id"]), ("abc", "o", "t"))
        self.assertEqual(set(line("x")), {"time", "level", "logger", "message"})

    def test_what_a_line_says_itself_wins(self):
        with logs.carrying("of the batch"):
            self.assertEqual(line("x", request_id="of the order")["request_id"], "of the order")

    def test_nothing_is_noted_outside_of_a_request(self):
        logs.note(order="o")
        self.assertNotIn("order", line("x"))

    def test_a_request_itself_is_not_shown(self):
        self.assertNotIn("request", line("x", request=RequestFactory().get("/?token=secret")))


class ConsoleFormatterTests(TestCase):
    def format(self, **facts):
        return logs.ConsoleFormatter().format(logging.makeLogRecord({"msg": "sent", **facts}))

    def test_a_line_ends_with_its_facts(self):
        with logs.carrying("abc"):
            self.assertTrue(
                self.format(order="o", ms=3).endswith("sent [request_id=abc order=o ms=3]")
            )

    def test_one_without_has_no_brackets(self):
        self.assertTrue(self.format().endswith(": sent"))


class RequestMiddlewareTests(TestCase):
    def respond(self, answer=None, **headers):
        """The response, and what the log says of it."""
        seen = []

        def view(request):
            seen.append(logs.request_id.get())
            return answer or HttpResponse("ok")

        request = RequestFactory().get("/api/v1/x?token=secret", headers=headers)
        with self.assertLogs("access", "INFO") as logged:
            response = logs.RequestMiddleware(view)(request)
        self.assertEqual(seen, [response.headers["X-Request-ID"]])
        return response, logged.records[0]

    def test_the_id_that_came_along_is_kept_and_answered(self):
        response, _ = self.respond(**{"X-Request-ID": "Abc-1._z"})
        self.assertEqual(response.headers["X-Request-ID"], "Abc-1._z")
        self.assertEqual(logs.request_id.get(), "")

    def test_an_odd_one_or_none_is_replaced(self):
        for odd in ("", "a b", "x" * 65, "a\nb", "é", "{}"):
            response, _ = self.respond(**{"X-Request-ID": odd})
            self.assertRegex(response.headers["X-Request-ID"], r"\A[0-9a-f]{32}\Z")

    def test_a_request_is_logged_by_its_path_alone(self):
        _, record = self.respond()
        self.assertEqual(record.getMessage(), "GET /api/v1/x 200")
        self.assertGreaterEqual(record.ms, 0)

    def test_what_a_view_noted_is_on_the_requests_line(self):
        def view(request):
            logs.note(order="o")
            return HttpResponse("ok")

        shown = io.StringIO()
        handler = logging.StreamHandler(shown)
        handler.setFormatter(logs.JsonFormatter())
        logs.access.addHandler(handler)
        self.addCleanup(logs.access.removeHandler, handler)
        request = RequestFactory().get("/", headers={"X-Request-ID": "abc"})
        with patch.multiple(logs.access, level=logging.INFO, propagate=False):
            logs.RequestMiddleware(view)(request)
        event = json.loads(shown.getvalue())
        self.assertEqual((event["request_id"], event["order"]), ("abc", "o"))

    def test_an_answer_says_how_long_it_is(self):
        self.assertEqual(self.respond()[0].headers["Content-Length"], "2")
        given = HttpResponse("ok", headers={"Content-Length": "9"})
        self.assertEqual(self.respond(given)[0].headers["Content-Length"], "9")

    def test_a_file_is_streamed_as_it_is(self):
        response, _ = self.respond(FileResponse([b"a", b"b"]))
        self.assertNotIn("Content-Length", response.headers)

    def test_the_id_does_not_outlive_a_request_that_fails(self):
        def fail(request):
            raise RuntimeError

        with self.assertRaises(RuntimeError):
            logs.RequestMiddleware(fail)(RequestFactory().get("/"))
        self.assertEqual(logs.request_id.get(), "")
