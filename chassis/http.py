"""Outbound HTTP for both services: one call, one answer, within a time limit that holds.

`requests`, with the connections of chassis.connections. Connections are kept alive; redirects are
not followed, cookies not kept, proxies and netrc files of the environment not used.
"""

import contextlib
import functools
import http.client
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from chassis import connections
from chassis.connections import AddressNotAllowed, Call, CallFailed, CheckAddress

__all__ = ["MAX_BODY", "AddressNotAllowed", "Answer", "cut_open_calls", "get", "post"]

MAX_BODY = 64 * 1024  # bytes of an answer that are read; the rest is left, its connection closed

# What the peer's closing of a kept connection looks like when a request has just been sent on it.
STALE = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)

REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (http.client.RemoteDisconnected, "connection closed without an answer"),
    (http.client.IncompleteRead, "connection closed in mid-answer"),
    (ssl.SSLCertVerificationError, "certificate not valid: {0.verify_message}"),
    (ssl.SSLError, "TLS failed: {0.reason}"),
    (TimeoutError, "timed out"),
    (urllib3.exceptions.TimeoutError, "timed out"),
    (http.client.HTTPException, "not an HTTP answer: {0!r}"),
    (requests.RequestException, "can't be called: {0}"),
    (OSError, "{0}"),
)


# It would log a peer's malformed headers in full, megabytes of them if the peer likes.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer answered, or why no whole answer came."""

    status: int | None  # None: no answer
    body: bytes  # at most MAX_BODY of it
    headers: Mapping[str, str]  # by name, whatever its case
    error: str  # one line; "" when an answer came
    ms: int
    refused: bool = False  # by check_address: nothing was sent, nor will be


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    connect_timeout: float = 5.0,
    total_timeout: float = 10.0,
    check_address: CheckAddress | None = None,
) -> Answer:
    """POST `body`; times in seconds. Never raises: what failed is the answer's `error`.

    `check_address` is called with each address of the URL's host; it raises AddressNotAllowed.
    Sent once more where the peer closes a kept connection just then, so a repeat must do no harm.
    """
    call = Call(connect_timeout, total_timeout, check_address)
    return _send(call, "POST", url, body, headers)


def get(
    url: str,
    *,
    headers: Mapping[str, str],
    connect_timeout: float = 5.0,
    total_timeout: float = 10.0,
) -> Answer:
    """GET; otherwise as `post`."""
    return _send(Call(connect_timeout, total_timeout, None), "GET", url, None, headers)


def cut_open_calls() -> None:
    """End every call of this process at once, with an error: it is about to stop."""
    connections.watchdog.cut_all()
    connections.lookups.cut_all()


class _Watched:
    """A urllib3 connection that is made by chassis.connections and known to its watchdog."""

    sock: Any
    port: int
    _dns_host: str

    def _new_conn(self) -> socket.socket:
        return connections.connect(_current.call, self._dns_host, self.port)

    def request(self, *args: Any, **kwargs: Any) -> None:
        call: Call = _current.call
        if self.sock is not None and not call.fresh:  # one that was kept
            connections.watchdog.hold(call, self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc]


class _HTTPConnection(_Watched, urllib3.connection.HTTPConnection):
    pass


class _HTTPSConnection(_Watched, urllib3.connection.HTTPSConnection):
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


@functools.cache
def _trust() -> ssl.SSLContext:
    """The certificates trusted: those of `requests`, and the system's (or SSL_CERT_FILE's)."""
    context = urllib3.util.ssl_.create_urllib3_context()
    context.load_default_certs()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def build_connection_pool_key_attributes(self, *args: Any) -> Any:
        host, pool = super().build_connection_pool_key_attributes(*args)
        if host["scheme"] == "https":
            pool["ssl_context"] = _trust()
        return host, pool

    def cert_verify(self, *args: Any) -> None:
        """The context sees to it. This would load the certificates anew for each connection."""


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(pool_maxsize=1)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """None: even unfollowed, requests would read the whole body of a redirect."""
        return iter(())


@contextlib.contextmanager
def _session(check: CheckAddress | None) -> Iterator[_Session]:
    """A session for this thread alone, until the end of its call.

    Kept by the process: threads that send come and go, their connections should stay. Kept apart
    by the check, so that a connection made without it is never used by a call that asks for it.
    """
    idle = _idle.setdefault(check, [])
    try:
        session = idle.pop()
    except IndexError:
        session = _Session()
    try:
        yield session
    finally:
        idle.append(session)


def _send(
    call: Call, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
) -> Answer:
    status, content, received, error = None, b"", CaseInsensitiveDict[str](), ""
    refused = False
    _current.call = call
    connections.watchdog.add(call)
    try:
        request = _prepare(method, url, body, headers)
        with _session(call.check) as session, _respond(call, session, request) as response:
            content = _read(response)
            if call.reason:  # a body without a length ends where its connection is shut
                raise CallFailed(call.reason)
            status, received = response.status_code, response.headers
    except CallFailed as failure:
        error = call.reason or str(failure)
        refused = isinstance(failure, AddressNotAllowed)
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        OSError,
        ValueError,
    ) as failure:
        error = call.reason or _reason(failure)
    finally:
        connections.watchdog.remove(call)
    ms = round((time.monotonic() - call.started) * 1000)
    return Answer(status, b"" if error else content, received, error, ms, refused)


def _prepare(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str]
) -> requests.PreparedRequest:
    """What `requests.Request.prepare` makes, without its cookies, its auth and its netrc file."""
    request = requests.PreparedRequest()
    request.method = method
    request.prepare_url(url, None)
    request.headers = CaseInsensitiveDict(headers)
    request.body = body
    if body is not None:
        request.headers["Content-Length"] = str(len(body))
    return request


def _respond(call: Call, session: _Session, request: requests.PreparedRequest) -> requests.Response:
    """Send, and wait for the answer's headers."""
    limits = (call.connect_timeout, call.total_timeout + 1)  # the watchdog is the one to end it
    send = functools.partial(
        session.send, request, stream=True, timeout=limits, proxies={}, allow_redirects=False
    )
    try:
        return send()
    except requests.RequestException as error:
        if call.fresh or call.reason or not isinstance(_innermost(error), STALE):
            raise
    return send()


def _read(response: requests.Response) -> bytes:
    """The body as it is sent, as far as MAX_BODY: a small compressed one may be a huge one."""
    content = b""
    while len(content) < MAX_BODY:
        chunk: bytes = response.raw.read(MAX_BODY - len(content), decode_content=False)
        if not chunk:
            break
        content += chunk
    return content


def _innermost(error: BaseException) -> BaseException:
    """What requests and urllib3 wrapped; they keep it as `reason`, or among the arguments."""
    while True:
        wrapped = (getattr(error, "reason", None), *error.args)
        inner = next((part for part in wrapped if isinstance(part, BaseException)), None)
        if inner is None:
            return error
        error = inner


def _reason(error: BaseException) -> str:
    """An exception in one line of at most 200 characters."""
    error = _innermost(error)
    text = next((text for kind, text in REASONS if isinstance(error, kind)), "{0!r}")
    return " ".join(text.format(error).split())[:200]


def _start_anew() -> None:
    """A process just forked must not use the connections of its parent."""
    global _current, _idle
    _current, _idle = threading.local(), {}


_current: threading.local
_idle: dict[CheckAddress | None, list[_Session]]
_start_anew()
os.register_at_fork(after_in_child=_start_anew)
