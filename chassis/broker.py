"""The embedded broker: a kombu transport over a folder, for running without RabbitMQ.

`embedded:///absolute/folder` keeps one sub-folder a queue and one file a message. kombu's own
`filesystem` transport opens a message's file before it writes it: readers meet empty files, and a
publisher that is killed midway stops its worker. Here every step that another process can see is
one rename: a message is there whole or not at all, and whoever renames it first has it.

What it does not do, since the row is the truth: a message dies with the process that has taken
it, nothing is flushed to disk, and there is no fanout. Importing this module registers it.
"""

import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from queue import Empty
from typing import Any
from urllib.parse import quote

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)

SCHEME = "embedded"
MESSAGE, PART, TAKEN = ".msg", ".part", ".taken"
AT_ONCE = 20  # messages taken before a worker's event loop goes on to its other work

# How many messages a queue may hold, by its folder; learned as each process declares the queue.
_limits: dict[Path, int] = {}
_serial = count()


class Channel(virtual.Channel):
    """Puts and takes messages by their queue's name; exchanges are kept in memory."""

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.folder: Path = connection.folder
        self._listed: dict[str, deque[str]] = {}  # names seen in a queue's folder and not yet tried

    def _queue_folder(self, queue: str) -> Path:
        return self.folder / f"{quote(queue, safe='')}.queue"

    def _new_queue(self, queue: str, arguments: Any = None, **kwargs: Any) -> None:
        folder = self._queue_folder(queue)
        folder.mkdir(parents=True, exist_ok=True)
        if limit := (arguments or {}).get("x-max-length"):
            _limits[folder] = limit

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        """Store a message; drop it where the queue is bounded and full.

        Two publishers at once may exceed the bound by one, which harms nobody. Raises ChannelError.
        """
        folder = self._queue_folder(queue)
        limit = _limits.get(folder)
        if limit is not None and self._size(queue) >= limit:
            return
        content = dumps(message).encode()
        # By time first: names sort in the order of publishing. The rest makes them unique.
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(_serial)}"
        try:
            try:
                _write(folder, name, content)
            except FileNotFoundError:  # never made, or removed under a running process
                folder.mkdir(parents=True, exist_ok=True)
                _write(folder, name, content)
        except OSError as error:
            raise ChannelError(f"cannot store a message in {folder}: {error}") from error

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        """Take the oldest message. Raises Empty."""
        folder = self._queue_folder(queue)
        # One listing serves many takes: with a long backlog, a listing costs more than its message.
        listed = self._listed.get(queue)
        if not listed:
            listed = self._listed[queue] = deque(sorted(_names(folder)))
        while listed:
            message = _take(folder, listed.popleft())
            if message is not None:
                return message
        raise Empty

    def _size(self, queue: str) -> int:
        return sum(1 for _ in _names(self._queue_folder(queue)))

    def _purge(self, queue: str) -> int:
        folder, purged = self._queue_folder(queue), 0
        for name in list(_names(folder)):
            with contextlib.suppress(FileNotFoundError):
                (folder / name).unlink()
                purged += 1
        return purged


class Transport(virtual.Transport):
    """Connects to the folder of the URL, which is taken literally: nothing in it is decoded."""

    Channel = Channel
    can_parse_url = True  # kombu hands the URL over as it is
    default_port = 0
    driver_type = driver_name = SCHEME
    polling_interval = 0.02  # seconds between looks into empty queues
    implements = virtual.Transport.implements.extend(asynchronous=True)

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.folder = Path(client.hostname.removeprefix(f"{SCHEME}://"))
        if not self.folder.is_absolute():
            raise ValueError(f"the embedded broker needs an absolute folder, not {client.hostname}")
        self.folder.mkdir(parents=True, exist_ok=True)

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Have a worker's event loop look into the queues.

        With a transport that has no part in it, Celery would run tasks in processes that wait at
        one pipe, whoever holds its lock: where that one is killed, none ever gets a task again.
        """
        loop.call_repeatedly(self.polling_interval, self._look)

    def _look(self) -> None:
        cycle: Any = self.cycle
        with contextlib.suppress(Empty):
            for _ in range(AT_ONCE):
                cycle.get(self._deliver)

    def driver_version(self) -> str:
        return "N/A"

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "**") -> str:
        return uri


def _names(folder: Path) -> Iterator[str]:
    """The names of a queue's messages, in no order; none where the folder is missing."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(MESSAGE):
                    yield entry.name
    except (FileNotFoundError, NotADirectoryError):
        return


def _write(folder: Path, name: str, content: bytes) -> None:
    part = f"{folder}/{name}{PART}"
    with open(part, "xb") as file:  # noqa: PTH123  # half the cost of Path.open
        file.write(content)
    os.rename(part, f"{folder}/{name}{MESSAGE}")  # noqa: PTH104


def _take(folder: Path, name: str) -> dict[str, Any] | None:
    """A message's content; None where another process has it, it is broken or it has expired."""
    path, taken = f"{folder}/{name}", f"{folder}/{name}{TAKEN}"
    try:
        os.rename(path, taken)  # noqa: PTH104
    except FileNotFoundError:
        return None
    try:
        with open(taken, "rb") as file:  # noqa: PTH123
            content = file.read()
        os.unlink(taken)  # noqa: PTH108
    except FileNotFoundError:
        logger.warning("a message vanished from %s: %s", folder, name)
        return None
    try:
        message = loads(content)
        properties = message["properties"]
        properties["delivery_tag"]  # what kombu can't do without
        expiration = float(properties.get("expiration") or "inf")  # milliseconds, as in AMQP
        age = (time.time_ns() - int(name.partition("-")[0])) / 1e6
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        logger.warning("dropped a broken message from %s: %s: %r", folder, name, error)
        return None
    return message if age < expiration else None


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
