"""The launcher itself: what it prints, what it restarts, and that it leaves nothing behind."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import TestCase
from unittest.mock import patch

import requests

from e2e import ports
from e2e.child import Child
from e2e.ending import CannotStart
from e2e.environment import ROOT
from e2e.processes import Supervisor
from e2e.stack import Stack
from e2e.testing import EVERY_PROCESS
from e2e.waiting import until


def processes_with(mark: str) -> list[int]:
    """Every process in whose environment or command `mark` stands."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            about = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile, or is another user's
            continue
        if mark.encode() in about and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


class CommandTests(TestCase):
    """`python -m e2e.stack`. Its children are known by a mark in their environment."""

    def setUp(self) -> None:
        self.mark = f"e2e-mark-{secrets.token_hex(8)}"
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.launcher = subprocess.Popen(
            [sys.executable, "-m", "e2e.stack"],
            cwd=ROOT,
            env={**os.environ, "MARK": self.mark, "TMPDIR": str(self.folder)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end)

    def end(self) -> None:
        self.launcher.kill()
        self.launcher.communicate()

    def ready(self) -> dict[str, Any]:
        assert self.launcher.stdout is not None
        return json.loads(self.launcher.stdout.readline())

    def assert_nothing_left(self, within: float) -> None:
        until(lambda: not processes_with(self.mark), within=within, what="every process ended")

    def test_it_prints_one_line_when_ready_and_at_sigterm_leaves_nothing_behind(self) -> None:
        ready = self.ready()
        self.assertEqual(
            list(ready),
            ["producer", "consumer", "token", "api_key", "producer_api_key", "processes"],
        )
        self.assertEqual(set(ready["processes"]), set(EVERY_PROCESS))
        for pid in ready["processes"].values():
            os.kill(pid, 0)
        answer = requests.get(
            f"{ready['producer']}/api/v1/data/orders/",
            headers={"Authorization": f"Token {ready['token']}"},
            timeout=5,
        )
        self.assertEqual(answer.status_code, 200)

        self.launcher.send_signal(signal.SIGTERM)
        rest, _ = self.launcher.communicate(timeout=15)
        self.assertEqual((self.launcher.returncode, rest), (0, ""))
        self.assert_nothing_left(within=0)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_its_processes_end_when_it_is_killed(self) -> None:
        self.ready()
        self.launcher.kill()
        self.assert_nothing_left(within=12)

    def test_sigterm_during_the_start_leaves_nothing_behind(self) -> None:
        until(lambda: len(processes_with(self.mark)) > 1, within=20, what="a first child")
        self.launcher.send_signal(signal.SIGTERM)
        rest, _ = self.launcher.communicate(timeout=15)
        self.assertEqual((self.launcher.returncode, rest), (0, ""))
        self.assert_nothing_left(within=0)
        self.assertEqual(list(self.folder.iterdir()), [])


class StartTests(TestCase):
    def setUp(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(patch.object(tempfile, "tempdir", folder))
        self.addCleanup(lambda: self.assertEqual(list(Path(folder).iterdir()), []))

    def test_a_database_that_cannot_be_reached_is_said_in_one_line(self) -> None:
        [port] = ports.free(1)
        url = f"postgres://somebody:secret@127.0.0.1:{port}/shop"
        with self.assertRaises(CannotStart) as caught, Stack(producer_database=url):
            self.fail("it started")
        self.assertRegex(
            str(caught.exception), rf"\AThe producer's database at 127.0.0.1:{port}.*\Z"
        )
        self.assertNotIn("secret", str(caught.exception))

    def test_a_database_of_another_kind_is_said_in_one_line(self) -> None:
        with self.assertRaises(CannotStart) as caught, Stack(consumer_database="mysql://host/shop"):
            self.fail("it started")
        self.assertRegex(str(caught.exception), r"\AThe consumer's database at .*postgres://.*\Z")

    def test_a_broker_that_cannot_be_reached_is_said_in_one_line(self) -> None:
        [port] = ports.free(1)
        with self.assertRaises(CannotStart) as caught, Stack(broker=f"amqp://127.0.0.1:{port}//"):
            self.fail("it started")
        self.assertRegex(str(caught.exception), rf"\AThe broker at .*127.0.0.1:{port}.*\Z")


class SupervisorTests(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.said: list[str] = []
        self.supervisor = Supervisor(self.said.append)
        self.addCleanup(self.supervisor.close)

    def child(self, code: str, *, once: bool = False) -> Child:
        command = [sys.executable, "-c", code]
        child = Child("it", command, self.folder, dict(os.environ), self.folder / "log", once)
        self.supervisor.add(child)
        return child

    def running(self, code: str) -> Child:
        """A child that runs `code`, and then says that it runs and waits."""
        child = self.child(f"{code}; print('runs', flush=True); signal.pause()")
        self.supervisor.start("it")
        until(lambda: "runs" in child.output(), within=10, what="the child runs")
        return child

    def test_a_child_that_dies_is_started_again(self) -> None:
        child = self.running("import signal")
        self.supervisor.restarting = True
        before = self.supervisor.pids()["it"]
        self.supervisor.kill("it")
        until(
            lambda: self.supervisor.pids().get("it", before) != before,
            within=10,
            what="a new process",
        )
        self.assertEqual(child.restarts, 1)
        self.assertIn("SIGKILL", self.said[0])

    def test_a_child_that_was_stopped_stays_down(self) -> None:
        child = self.running("import signal")
        self.supervisor.restarting = True
        self.assertEqual(self.supervisor.stop("it"), [])
        self.assertEqual((self.supervisor.pids(), child.restarts, self.said), ({}, 0, []))

    def test_a_frozen_child_is_ended_too(self) -> None:
        self.running("import signal")
        self.supervisor.kill("it", signal.SIGSTOP)
        self.assertEqual(self.supervisor.stop("it"), [])

    def test_a_child_that_ignores_sigterm_is_killed_and_named(self) -> None:
        self.running("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
        self.assertEqual(self.supervisor.stop("it", patience=0.1), ["it"])

    def test_what_a_dead_child_had_started_is_ended(self) -> None:
        mark = secrets.token_hex(8)
        sleeper = f"[sys.executable, '-c', 'import signal; signal.pause()', '{mark}']"
        self.running(f"import signal, subprocess, sys; subprocess.Popen({sleeper})")
        until(lambda: len(processes_with(mark)) == 2, within=10, what="the grandchild runs")
        self.supervisor.kill("it")
        until(lambda: not processes_with(mark), within=10, what="the grandchild ended")

    def test_a_job_ends_once_with_its_code(self) -> None:
        child = self.child("print('done'); raise SystemExit(3)", once=True)
        self.supervisor.restarting = True
        self.supervisor.start("it")
        self.assertEqual(until(lambda: child.code, within=10, what="its end"), 3)
        self.assertEqual((child.last_words(), child.restarts), ("done", 0))
