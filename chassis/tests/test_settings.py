"""How the environment is read."""

import os
import tempfile
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

from django.core.exceptions import ImproperlyConfigured

from chassis.settings import Environment


class EnvironmentTests(TestCase):
    def setUp(self) -> None:
        self.enterContext(patch.dict(os.environ, clear=True))
        self.enterContext(patch("environ.FileAwareEnv.read_env"))  # there is no .env here

    def environment(self, command: str = "check", **variables: str) -> Environment:
        os.environ.update(variables)
        with patch("sys.argv", ["manage.py", command]):
            return Environment("no-such-service")

    def test_a_secret_is_read_as_it_stands(self) -> None:
        env = self.environment(SECRET_KEY="$2b$ a#b=c,d", SECRET_KEY_FALLBACKS="$old, older")
        self.assertEqual(env.secret("SECRET_KEY", "development"), "$2b$ a#b=c,d")
        self.assertEqual(env.items("SECRET_KEY_FALLBACKS", []), ["$old", "older"])

    def test_a_secret_may_be_a_file_with_a_newline_at_its_end(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "key")
            path.write_text("from a file\n")
            env = self.environment(FILED_FILE=str(path), FILED="from the environment")
            self.assertEqual(env.secret("FILED", "development"), "from a file")

    def test_a_missing_secret_stops_the_start_with_its_name_unless_debug_is_on(
        self,
    ) -> None:
        with self.assertRaisesRegex(ImproperlyConfigured, "SECRET_KEY is not set"):
            self.environment().secret("SECRET_KEY", "development")
        self.assertEqual(self.environment(DEBUG="1").secret("SECRET_KEY", "dev"), "dev")

    def test_allowed_hosts_are_needed_unless_debug_is_on(self) -> None:
        with self.assertRaisesRegex(ImproperlyConfigured, "ALLOWED_HOSTS is not set"):
            self.environment().hosts()
        self.assertIn("localhost", self.environment(DEBUG="on").hosts())

    def test_a_malformed_signing_secret_stops_the_start_without_being_shown(self) -> None:
        good = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
        env = self.environment(GOOD=f"{good}, {good}", BAD=f"{good},whsec_a")
        self.assertEqual(env.signing_secrets("GOOD", ""), [good, good])
        with self.assertRaisesRegex(ImproperlyConfigured, r"the 2\. secret in BAD") as stopped:
            env.signing_secrets("BAD", "")
        self.assertNotIn("whsec_a", str(stopped.exception))

    def test_a_web_process_waits_shorter_for_a_lock_than_a_worker(self) -> None:
        url = "postgres://127.0.0.1/shop"
        for command, variables, expected in (
            ("serve", {}, 500),
            ("worker", {}, 20000),
            ("serve", {"DATABASE_PATIENCE": "2"}, 2000),
        ):
            options = self.environment(command, DATABASE_URL=url, **variables).database()["OPTIONS"]
            self.assertIn(f"lock_timeout={expected} ", options["options"], command)

    def test_a_number_that_is_none_or_too_small_stops_the_start_with_its_name(self) -> None:
        env = self.environment(A="2.5", B="", C="6 months", D="0", E="nan", F="-1", G="1e400")
        self.assertEqual(
            [env.number(name, 7) for name in ("A", "B", "D", "NOT_SET")], [2.5, 7, 0, 7]
        )
        for name in ("C", "E", "F", "G"):
            with self.subTest(name), self.assertRaisesRegex(ImproperlyConfigured, f"{name}=.*numb"):
                env.number(name, 7)
        with self.assertRaisesRegex(ImproperlyConfigured, "D=0 is not a number of at least 1"):
            env.count("D", 7, least=1)
        with self.assertRaisesRegex(ImproperlyConfigured, r"A=2\.5 is not a whole number"):
            env.count("A", 7)

    def test_an_address_that_is_none_stops_the_start_with_its_name(self) -> None:
        good = ("http://producer:7000", "https://shop.example/orders", "http://[::1]:7000")
        for value in good:
            env = self.environment(PRODUCER_URL=f" {value}/\n")
            self.assertEqual(env.address("PRODUCER_URL", ""), value)
        bad = ("producer:7000", "ftp://a", "http://", "http://a:b", "http://me@a", "http://a b/")
        for value in bad:
            env = self.environment(PRODUCER_URL=value)
            with self.subTest(value), self.assertRaisesRegex(ImproperlyConfigured, "PRODUCER_URL="):
                env.address("PRODUCER_URL", "")

    def test_an_unknown_log_level_stops_the_start(self) -> None:
        self.assertEqual(self.environment(LOG_LEVEL="debug").log_level(), "DEBUG")
        with self.assertRaisesRegex(ImproperlyConfigured, "LOG_LEVEL=TRACE is none of DEBUG"):
            self.environment(LOG_LEVEL="trace").log_level()

    def test_a_flag_is_on_or_off_and_what_is_neither_stops_the_start(self) -> None:
        env = self.environment(A="Yes", B="0", C="", D="ture")
        self.assertEqual(
            [env.flag(name, default=True) for name in ("A", "B", "C", "NOT_SET")],
            [True, False, True, True],
        )
        with self.assertRaisesRegex(ImproperlyConfigured, "D=ture is neither"):
            env.flag("D", default=True)

    def test_a_test_sees_its_servers_and_no_setting_of_the_service_it_runs_beside(self) -> None:
        running = {"HTTPS": "1", "QUEUE_PREFIX": "live.", "BROKER_URL": "amqp://live"}
        with tempfile.TemporaryDirectory() as folder:
            url = Path(folder, "url")
            url.write_text("postgres://user@server/live\n")
            env = self.environment("test", DATABASE_URL_FILE=str(url), **running)
            self.assertEqual(env.database()["HOST"], "server")
        self.assertFalse(env.flag("HTTPS", default=False))
        self.assertEqual(env.broker_url(), "memory://")
        self.assertNotIn("live", env.queue_prefix())
