"""A stack's queues, seen from outside, on the embedded broker and on RabbitMQ."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from amqp.exceptions import NotFound
from kombu import Connection

EMBEDDED = "embedded://"


def is_embedded(url: str) -> bool:
    return url.startswith(EMBEDDED)


def folder_of(url: str) -> Path:
    return Path(url.removeprefix(EMBEDDED))


def check(url: str) -> None:
    """Connect to the broker. Raises what its transport raises where that fails."""
    if not is_embedded(url):
        with Connection(url, connect_timeout=3) as connection:
            connection.connect()


def empty_folder(url: str) -> None:
    """Start an embedded broker anew: what an earlier run left in it belongs to nobody."""
    if is_embedded(url):
        shutil.rmtree(folder_of(url), ignore_errors=True)
        folder_of(url).mkdir(parents=True)


def messages(urls: Iterable[str], queues: Iterable[str]) -> int:
    """How many messages wait in the queues."""
    queues = list(queues)
    return sum(
        len(list(_embedded_messages(url, queues)))
        if is_embedded(url)
        else _each_queue(
            url, queues, lambda channel, queue: channel.queue_declare(queue, passive=True)[1]
        )
        for url in urls
    )


def purge(urls: Iterable[str], queues: Iterable[str]) -> int:
    """Delete every waiting message; returns how many there were."""
    queues = list(queues)
    purged = 0
    for url in urls:
        if not is_embedded(url):
            purged += _each_queue(url, queues, lambda channel, queue: channel.queue_purge(queue))
            continue
        for message in _embedded_messages(url, queues):
            message.unlink(missing_ok=True)
            purged += 1
    return purged


def delete_queues(url: str, queues: Iterable[str]) -> None:
    if not is_embedded(url):
        _each_queue(url, queues, lambda channel, queue: channel.queue_delete(queue))


def _embedded_messages(url: str, queues: list[str]) -> list[Path]:
    return [path for queue in queues for path in folder_of(url).glob(f"{queue}.queue/*.msg")]


def _each_queue(url: str, queues: Iterable[str], act: Callable[[Any, str], int | None]) -> int:
    """Act on each queue that is there, on a channel of its own: an error closes a channel."""
    total = 0
    with Connection(url, connect_timeout=3) as connection:
        for queue in queues:
            try:
                with connection.channel() as channel:
                    total += act(channel, queue) or 0
            except NotFound:
                continue
    return total
