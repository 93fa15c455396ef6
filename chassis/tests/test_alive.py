"""What makes a container healthy."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest import TestCase

from chassis import alive


def check(target: str) -> tuple[int, str]:
    """Run it as a container does; the exit code, and what it said."""
    command = [sys.executable, "-I", "-S", alive.__file__, target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stderr


class Web(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        status = self.status if self.path == "/health/ready" else 404
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"what is wrong")

    def log_message(self, *args: object) -> None:
        """Nothing among the tests' output."""


class WebTests(TestCase):
    def setUp(self) -> None:
        self.handler = type("Handler", (Web,), {})
        self.server = self.enterContext(HTTPServer(("127.0.0.1", 0), self.handler))
        serving = threading.Thread(target=self.server.serve_forever, args=[0.01])
        serving.start()
        self.addCleanup(serving.join)
        self.addCleanup(self.server.shutdown)

    def test_a_web_process_that_is_ready_is_healthy(self) -> None:
        self.assertEqual(check(str(self.server.server_port)), (0, ""))

    def test_one_that_is_not_ready_is_not_and_its_answer_is_told(self) -> None:
        self.handler.status = 503
        code, said = check(str(self.server.server_port))
        self.assertEqual(code, 1)
        self.assertIn("503: what is wrong", said)

    def test_one_that_does_not_answer_is_not(self) -> None:
        with HTTPServer(("127.0.0.1", 0), Web) as closed:
            port = closed.server_port
        code, said = check(str(port))
        self.assertEqual(code, 1)
        self.assertIn("refused", said)


class WorkerTests(TestCase):
    def setUp(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.file = Path(folder, "alive")

    def test_a_worker_that_has_touched_its_file_is_healthy(self) -> None:
        self.file.touch()
        self.assertEqual(check(str(self.file)), (0, ""))

    def test_one_that_did_so_too_long_ago_is_not(self) -> None:
        self.file.touch()
        long_ago = time.time() - alive.SECONDS - 5
        os.utime(self.file, (long_ago, long_ago))
        code, said = check(str(self.file))
        self.assertEqual(code, 1)
        self.assertIn("was not touched", said)

    def test_one_that_never_did_is_not(self) -> None:
        code, said = check(str(self.file))
        self.assertEqual(code, 1)
        self.assertIn("No such file", said)
