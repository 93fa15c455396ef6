"""The web process: who answers when one of its processes dies, and what each can see."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from unittest import TestCase
from unittest.mock import patch
from urllib.request import urlopen

from django.core.management import CommandError, call_command

from chassis.management.commands import serve

SECONDS = 20.0  # for a condition to come true, on a busy machine


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not come true")
        time.sleep(0.02)
    return answer


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    """Whether it runs: a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class ServeTests(TestCase):
    def setUp(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"

    def start(self) -> "subprocess.Popen[bytes]":
        """`manage.py serve`, as soon as it answers."""
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", self.address],
            env={**os.environ, "DEBUG": "1", "DATABASE_URL": "sqlite://:memory:"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # a pipe would be held open by what outlives the server
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        until(self.answers)
        return process

    def answers(self) -> bool:
        try:
            with urlopen(f"http://{self.address}/health/live", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def test_a_process_that_is_killed_is_replaced(self) -> None:
        server = self.start()
        [first] = children_of(server.pid)
        os.kill(first, signal.SIGKILL)
        until(lambda: not is_alive(first))
        until(self.answers)
        [second] = children_of(server.pid)
        self.assertNotEqual(first, second)
        server.terminate()
        self.assertEqual(server.wait(SECONDS), 0)

    def test_all_threads_are_there_before_the_first_customer_comes(self) -> None:
        server = self.start()
        [worker] = children_of(server.pid)
        tasks = Path(f"/proc/{worker}/task")
        # Those of the server itself, and 8 that work.
        until(lambda: len(list(tasks.iterdir())) >= 12)

    def test_a_body_that_comes_in_chunks_is_read(self) -> None:
        self.start()
        for body, status, said in (
            ([b'{"username": ', b"nobody"], 400, "Not valid JSON"),
            ([b" " * 2**16] * 17, 413, "larger than 1 MiB"),
        ):
            caller = HTTPConnection(self.address, timeout=SECONDS)
            self.addCleanup(caller.close)
            headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
            caller.request("POST", "/api/v1/users/create", iter(body), headers, encode_chunked=True)
            answer = caller.getresponse()
            self.assertEqual(answer.status, status)
            self.assertIn(said, answer.read().decode())

    def test_no_process_outlives_its_server(self) -> None:
        server = self.start()
        [worker] = children_of(server.pid)
        server.kill()
        until(lambda: not is_alive(worker))

    def test_an_address_that_is_taken_is_said_in_one_line(self) -> None:
        self.start()
        second = subprocess.run(
            [sys.executable, "manage.py", "serve", self.address],
            env={**os.environ, "DEBUG": "1"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.assertEqual(second.returncode, 1)
        self.assertRegex(second.stderr, rf"\ACommandError: Can't listen at {self.address}: .*\n\Z")

    def test_a_name_is_an_address_to_listen_at(self) -> None:
        self.assertEqual(serve._free("localhost:0")[0], "127.0.0.1")

    def test_what_is_no_address_is_said_in_one_line(self) -> None:
        for address in ("nonsense", "127.0.0.1:", "127.0.0.1:99999", "300.0.0.1:80"):
            with self.assertRaisesRegex(CommandError, rf"\ACan't listen at {address}: .*\.\Z"):
                serve._free(address)

    def test_a_request_does_not_carry_the_servers_environment(self) -> None:
        seen: dict[str, Any] = {}
        secret = {"A_SECRET": "x", "HTTP_HOST": "y"}
        with (
            patch.dict(os.environ, secret),
            patch.object(
                serve, "get_internal_wsgi_application", lambda: lambda e, _: seen.update(e)
            ),
            patch.object(serve, "_end_with_parent"),
            patch.object(serve, "Server") as server,
        ):
            call_command("serve", "127.0.0.1:0")
            application = server.return_value.serve.call_args.kwargs["target_loader"]()
            application({**os.environ, "PATH_INFO": "/", "HTTP_HOST": "shop"}, None)
        self.assertEqual(seen, {"PATH_INFO": "/", "HTTP_HOST": "shop"})
