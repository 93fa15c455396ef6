"""`make up` and `make demo`, as a newcomer runs them."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import TestCase
from unittest.mock import patch

from e2e import ports, up
from e2e.commands import QUEUES
from e2e.demo import demo
from e2e.ending import CannotStart
from e2e.environment import ROOT

UP_IN_A_FOLDER = """
import sys, pathlib
from e2e import ending, up
up.VAR = pathlib.Path(sys.argv[1])
ending.run(up.up)
"""


class QueueTests(TestCase):
    def test_containers_and_the_operations_page_name_every_queue_that_this_launcher_does(
        self,
    ) -> None:
        for file, option in (("docker-compose.yml", "--queues="), ("docs/operations.md", "-Q ")):
            text = (ROOT / file).read_text()
            lists = re.findall(rf"{option}((?:producer|consumer)\.[a-z.,]+)", text)
            self.assertEqual(sorted(",".join(lists).split(",")), sorted(QUEUES), file)


class DemoTests(TestCase):
    def test_it_follows_an_order_to_confirmed_and_prints_its_timeline(self) -> None:
        with redirect_stdout(StringIO()) as printed:
            self.assertEqual(demo(threading.Event()), 0)
        for step in ("accepted", "sent", "task_id=", "processed", "delivered", "confirmed"):
            self.assertIn(step, printed.getvalue())


class UpTests(TestCase):
    """The whole command, in a folder and on ports of its own."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.producer, consumer = ports.free(2)
        self.env = {
            "PATH": os.environ["PATH"],
            "PRODUCER_PORT": str(self.producer),
            "CONSUMER_PORT": str(consumer),
        }

    def start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", UP_IN_A_FOLDER, str(self.folder)]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def welcome(self, process: "subprocess.Popen[str]") -> str:
        """What it prints, up to its last line before it waits."""
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        return "".join(lines)

    def end(self, process: "subprocess.Popen[str]") -> str:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=15)
        self.assertEqual(process.returncode, 0)
        return said

    def test_its_first_words_work_when_pasted_and_what_it_stored_is_there_again(self) -> None:
        first = self.start()
        said = self.welcome(first)
        self.assertRegex(
            said, r"Admin login \(producer and consumer\), shown this once: admin / \S{12}"
        )
        curls = [line for line in said.splitlines() if line.startswith("curl ")]
        for curl in curls:
            subprocess.run(["bash", "-c", f"{curl} -sS --fail"], check=True, capture_output=True)
        self.assertIn("Every process has ended", self.end(first))
        self.assertTrue(ports.is_free(self.producer))
        self.assertEqual((self.folder / "secrets.json").stat().st_mode & 0o777, 0o600)

        again = self.start()
        said = self.welcome(again)
        self.assertIn("manage.py changepassword admin", said)
        self.assertNotIn("shown this once", said)
        answer = subprocess.run(
            ["bash", "-c", f"{curls[-1]} -sS --fail"], check=True, capture_output=True, text=True
        )
        self.assertEqual(answer.stdout.count('"order_key"'), 1)
        self.end(again)

    def test_a_port_that_is_taken_is_said_in_one_line(self) -> None:
        with socket.create_server(("127.0.0.1", self.producer)):
            process = self.start()
            _, said = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 1)
        self.assertRegex(said, rf"\APort {self.producer} is taken: .*\n\Z")


class GuardTests(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_a_second_start_in_the_same_folder_is_refused(self) -> None:
        lock = self.folder / "lock"
        with up.alone(lock), self.assertRaises(CannotStart), up.alone(lock):
            self.fail("it started")

    def test_secrets_are_made_once(self) -> None:
        path = self.folder / "secrets.json"
        self.assertEqual(up.kept_secrets(path), up.kept_secrets(path))

    def test_a_port_that_is_no_number_is_refused(self) -> None:
        with patch.dict(os.environ, PRODUCER_PORT="http"), self.assertRaises(CannotStart):
            up.chosen_port("PRODUCER_PORT")
