"""An HTTP proxy in front of one service: it logs each request, and misbehaves as a row tells it.

A rule is a function of a `Call`: it forwards it, or doesn't, and answers as it likes.
"""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from e2e import ports

HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "host"))
PATIENCE = 30.0  # seconds for the service to answer; longer than any caller waits


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Call:
    """One request, and what became of it: each answer of the service, and what the caller got."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    target: str  # host:port
    over: threading.Event  # set when the row's rule no longer holds
    handler: "Handler"
    at: float = field(default_factory=time.time)
    replies: list[int] = field(default_factory=list)
    answered: int | None = None

    def forward(self) -> Reply:
        """Have the service answer. Raises OSError or HTTPException where it does not."""
        connection = http.client.HTTPConnection(self.target, timeout=PATIENCE)
        with contextlib.closing(connection):
            kept = {k: v for k, v in self.headers.items() if k not in HOP_BY_HOP}
            connection.request(self.method, self.path, self.body, kept)
            response = connection.getresponse()
            reply = Reply(response.status, dict(response.getheaders()), response.read())
        self.replies.append(reply.status)
        return reply

    def answer(self, reply: Reply) -> None:
        self.handler.send_response_only(reply.status)
        for name, value in reply.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(len(reply.body)))
        self.handler.end_headers()
        self.handler.wfile.write(reply.body)
        self.answered = reply.status

    def refuse(self, status: int, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer(Reply(status, named, b"{}"))

    def write(self, data: bytes) -> None:
        """Write to the caller as it stands. Raises OSError once nobody reads it."""
        self.handler.wfile.write(data)
        self.handler.wfile.flush()

    def drop(self) -> None:
        """Cut the connection."""
        self.handler.close_connection = True
        with contextlib.suppress(OSError):
            self.handler.connection.shutdown(socket.SHUT_RDWR)


Rule = Callable[[Call], None]


def pass_on(call: Call) -> None:
    call.answer(call.forward())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        gateway = self.server.gateway
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        rule, over = gateway.current()
        call = Call(self.command, self.path, headers, body, gateway.target, over, self)
        gateway.log.append(call)
        try:
            rule(call)
        except (OSError, http.client.HTTPException):  # the service is away, or the caller
            call.drop()

    do_POST = do_GET = handle_any

    def log_message(self, *args: Any) -> None:
        """The gateway has a log of its own."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    gateway: "Gateway"

    def handle_error(self, *args: Any) -> None:
        """A caller that hangs up is no error here."""


class Gateway:
    """Listens on a port of its own, and obeys `rule` while it is set."""

    def __init__(self, target: str = "") -> None:
        self.target = urlsplit(target).netloc
        [self.port] = ports.free(1)
        self.origin = f"http://{ports.HOST}:{self.port}"
        self.log: list[Call] = []
        self._rule: Rule = pass_on
        self._over = threading.Event()
        self._server: Server | None = None
        self._sockets: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *details: object) -> None:
        self.obey(pass_on)
        self.close()

    def current(self) -> tuple[Rule, threading.Event]:
        return self._rule, self._over

    def obey(self, rule: Rule) -> None:
        """Follow another rule from now on; what hangs by the last one is let go."""
        last, self._over, self._rule = self._over, threading.Event(), rule
        last.set()

    @contextlib.contextmanager
    def obeying(self, rule: Rule) -> Any:
        self.obey(rule)
        try:
            yield
        finally:
            self.obey(pass_on)

    def open(self) -> None:
        sockets = self._sockets = set()

        class Tracking(Handler):
            def setup(self) -> None:
                sockets.add(self.connection if hasattr(self, "connection") else self.request)
                super().setup()

            def finish(self) -> None:
                sockets.discard(self.request)
                super().finish()

        self._server = Server((ports.HOST, self.port), Tracking)
        self._server.gateway = self
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def close(self) -> None:
        """Refuse connections from now on, and cut those there are."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
