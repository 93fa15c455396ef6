"""The connections of outbound calls (see chassis.http): where they may go, and for how long.

`requests` bounds each read of a call, not the call: headers sent a byte at a time hold it for ever.
So a watchdog shuts the socket of a call that is past its deadline. A name is looked up once, in a
thread of its own, since the system's resolver has no time limit; the caller may check each address
that came of it, and the connection goes to one of exactly these. A name that answers otherwise the
next time gains nothing.
"""

import contextlib
import math
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any

MAX_LOOKUPS = 100  # names looked up at once; more than stuck ones can hold all senders together
CUT = "cut at shutdown"

CheckAddress = Callable[[str], None]
Addresses = list[tuple[Any, ...]]  # as `socket.getaddrinfo` gives them


class CallFailed(Exception):
    """Why no answer came, in one line."""


class AddressNotAllowed(CallFailed):
    """Raised by a check of an address that it refuses: no connection is made."""

    def __init__(self, ip: str) -> None:
        super().__init__(f"address not allowed: {ip}")


class Call:
    """A call under way: its limits in seconds, and a handle on the socket that it uses just now."""

    def __init__(self, connect: float, total: float, check: CheckAddress | None) -> None:
        self.connect_timeout, self.total_timeout, self.check = connect, total, check
        self.started = time.monotonic()
        self.deadline = self.started + total
        self.handle: socket.socket | None = None
        self.fresh = False  # whether the connection was opened for this call
        self.reason = ""  # why it was ended from outside


class Watchdog:
    """Ends calls that are past their deadline; its thread starts with the first call."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.calls: set[Call] = set()
        self.wakes_at = math.inf
        self.thread: threading.Thread | None = None

    def add(self, call: Call) -> None:
        with self.changed:
            self.calls.add(call)
            if self.thread is None:
                self.thread = threading.Thread(target=self._run, name="http-watchdog", daemon=True)
                self.thread.start()
            elif call.deadline < self.wakes_at:
                self.changed.notify()

    def remove(self, call: Call) -> None:
        with self.changed:
            self.calls.remove(call)
            if call.handle is not None:
                call.handle.close()

    def hold(self, call: Call, sock: socket.socket) -> None:
        """From now on the call uses `sock`. Raises CallFailed where the call has been ended.

        The handle is a descriptor of its own: TLS takes the socket's away, and the number of one
        that was closed may be another connection's the next moment.
        """
        handle = socket.socket(sock.family, sock.type, sock.proto, fileno=os.dup(sock.fileno()))
        with self.changed:
            if call.handle is not None:
                call.handle.close()
            call.handle = handle
            if call.reason:
                raise CallFailed(call.reason)

    def cut_all(self) -> None:
        with self.changed:
            for call in self.calls:
                self._cut(call, CUT)

    def _cut(self, call: Call, reason: str) -> None:
        call.reason = call.reason or reason
        if call.handle is not None:
            with contextlib.suppress(OSError):  # not connected yet, or no longer
                call.handle.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        with self.changed:
            while True:
                now = time.monotonic()
                for call in self.calls:
                    if call.deadline <= now:
                        self._cut(call, f"timed out after {call.total_timeout:g} s")
                ahead = (call.deadline for call in self.calls if call.deadline > now)
                self.wakes_at = min(ahead, default=math.inf)
                self.changed.wait(None if self.wakes_at == math.inf else self.wakes_at - now)


class Lookups:
    """Name lookups under way, one a host: a host whose name servers hang holds one thread."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.open: dict[tuple[str, int], Future[Addresses]] = {}

    def find(self, host: str, port: int, seconds: float) -> Addresses:
        """The host's addresses, within a time limit. Raises CallFailed."""
        with contextlib.suppress(socket.gaierror, UnicodeError):
            numeric = socket.AI_NUMERICHOST  # an address needs no lookup
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)
        try:
            return self._join(host, port).result(seconds)
        except TimeoutError:
            raise CallFailed("name lookup timed out") from None
        except (OSError, UnicodeError):
            raise CallFailed("name not found") from None

    def _join(self, host: str, port: int) -> "Future[Addresses]":
        with self.lock:
            lookup = self.open.get((host, port))
            if lookup is None:
                if len(self.open) >= MAX_LOOKUPS:
                    raise CallFailed("too many name lookups at once")
                lookup = self.open[host, port] = Future()
                arguments = (lookup, host, port)
                threading.Thread(target=self._run, args=arguments, daemon=True).start()
        return lookup

    def _run(self, lookup: "Future[Addresses]", host: str, port: int) -> None:
        found: Addresses = []
        error: Exception | None = None
        try:
            found = resolve(host, port)
        except Exception as failure:  # for those who wait
            error = failure
        with self.lock:
            self.open.pop((host, port), None)
        with contextlib.suppress(InvalidStateError):  # cut meanwhile
            lookup.set_exception(error) if error else lookup.set_result(found)

    def cut_all(self) -> None:
        with self.lock:
            for lookup in self.open.values():
                with contextlib.suppress(InvalidStateError):
                    lookup.set_exception(CallFailed(CUT))
            self.open.clear()


def resolve(host: str, port: int) -> Addresses:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def connect(call: Call, host: str, port: int) -> socket.socket:
    """A connection to one of the host's addresses, all of them checked. Raises CallFailed."""
    end = min(time.monotonic() + call.connect_timeout, call.deadline)
    addresses = lookups.find(host, port, end - time.monotonic())
    if call.check is not None:
        for *_, address in addresses:
            call.check(address[0])
    error = "name not found"
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            watchdog.hold(call, sock)
            # A dead address must not use up the time of those after it.
            sock.settimeout(_left(end) / (len(addresses) - tried))
            sock.connect(address)
            # For TLS. Where the call's own end comes first, the watchdog is the one to end it.
            sock.settimeout(_left(end) if end < call.deadline else None)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            call.fresh = True
            return sock
        except TimeoutError:
            sock.close()
            error = f"connecting timed out after {call.connect_timeout:g} s"
        except OSError as failure:
            sock.close()
            error = str(failure.strerror or failure).lower()  # "connection refused"
        except CallFailed:
            sock.close()
            raise
    raise CallFailed(error)


def _left(end: float) -> float:
    return max(end - time.monotonic(), 0.001)


def _start_anew() -> None:
    """A process just forked has none of its parent's threads, and none of its calls."""
    global watchdog, lookups
    watchdog, lookups = Watchdog(), Lookups()


watchdog: Watchdog
lookups: Lookups
_start_anew()
os.register_at_fork(after_in_child=_start_anew)
