"""A TCP proxy that can be closed: a server's outage for those who reach it through here alone."""

import contextlib
import socket
import threading
from typing import Self

from e2e import ports


class Proxy:
    """Listens on `port` and passes every byte on to host:port and back, while it is open."""

    def __init__(self, host: str, port: int) -> None:
        self.target = host, port
        [self.port] = ports.free(1)
        self._listener: socket.socket | None = None
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def open(self) -> None:
        self._listener = socket.create_server((ports.HOST, self.port))
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def close(self) -> None:
        """Refuse connections from now on, and cut those there are."""
        with self._lock:
            cut, self._sockets = self._sockets, set()
            if self._listener:
                cut.add(self._listener)
            self._listener = None
        for each in cut:
            _cut(each)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = listener.accept()
                self._connect(listener, near)

    def _connect(self, listener: socket.socket, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self.target, timeout=5)
        except OSError:
            return _cut(near)
        far.settimeout(None)
        with self._lock:
            if self._listener is listener:
                self._sockets |= {near, far}
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()
                return None
        _cut(near)
        return _cut(far)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with self._lock:
            self._sockets -= {source, sink}
        _cut(source)
        _cut(sink)


def _cut(each: socket.socket) -> None:
    """Shut it down first: closing alone wakes no thread that waits on it."""
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
