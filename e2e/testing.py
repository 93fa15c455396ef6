"""A stack for the tests of a class, on the embedded default or on the servers that E2E_… name.

E2E_DATABASE_URL is a PostgreSQL server, where each class makes two databases of its own and drops
them; E2E_BROKER_URL a RabbitMQ, reached through a proxy, so that one stack can lose it alone.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar
from unittest import TestCase
from urllib.parse import urlsplit, urlunsplit

from e2e import brokers, databases
from e2e.client import Consumer, Producer
from e2e.commands import WEB, WORKERS
from e2e.proxy import Proxy
from e2e.stack import Stack

EVERY_PROCESS = (*WEB, *WORKERS)


class StackTestCase(TestCase):
    """Its tests share one running stack; each leaves it as it was."""

    stack: ClassVar[Stack]
    producer: ClassVar[Producer]
    consumer: ClassVar[Consumer]
    proxy: ClassVar[Proxy | None] = None

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.stack = cls.enterClassContext(
            Stack(
                producer_database=cls.own_database(),
                consumer_database=cls.own_database(),
                broker=cls.own_way_to_the_broker(),
            )
        )
        ready = cls.stack.ready()
        cls.producer = cls.enterClassContext(Producer(ready["producer"], f"Token {ready['token']}"))
        cls.consumer = cls.enterClassContext(
            Consumer(ready["consumer"], f"Api-Key {ready['api_key']}")
        )

    @classmethod
    def own_database(cls) -> str:
        """The URL of a database to be made, which is dropped after the class; "" for SQLite."""
        server = os.environ.get("E2E_DATABASE_URL", "")
        if not server:
            return ""
        url = urlunsplit(urlsplit(server)._replace(path=f"/e2e_{secrets.token_hex(6)}"))
        cls.addClassCleanup(databases.drop, url)
        return url

    @classmethod
    def own_way_to_the_broker(cls) -> str:
        """RabbitMQ's URL through a proxy; "" for the embedded broker."""
        url = os.environ.get("E2E_BROKER_URL", "")
        if not url:
            return ""
        parts = urlsplit(url)
        proxy = cls.proxy = cls.enterClassContext(
            Proxy(parts.hostname or "127.0.0.1", parts.port or 5672)
        )
        sign_in = parts.netloc.rpartition("@")[0]
        netloc = f"{sign_in}@127.0.0.1:{proxy.port}" if sign_in else f"127.0.0.1:{proxy.port}"
        return urlunsplit(parts._replace(netloc=netloc))

    @contextmanager
    def stopped(self, *names: str) -> Iterator[None]:
        """Without these processes; afterwards they run and are ready."""
        self.stack.processes.stop(*names)
        try:
            yield
        finally:
            self.stack.processes.start(*names)
            self.stack.wait_until_ready(*names)

    @contextmanager
    def no_broker(self) -> Iterator[None]:
        """RabbitMQ refuses this stack; the embedded folders are away, files in their place."""
        folders = {brokers.folder_of(url) for url in self.stack.at.brokers.values()}
        if self.proxy:
            self.proxy.close()
        else:
            for folder in folders:
                folder.rename(folder.with_suffix(".away"))
                folder.touch()
        try:
            yield
        finally:
            if self.proxy:
                self.proxy.open()
            else:
                for folder in folders:
                    folder.unlink()
                    folder.with_suffix(".away").rename(folder)
