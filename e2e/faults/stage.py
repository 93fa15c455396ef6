"""What a row plays on: a running system with a gateway between the services, in each direction."""

import contextlib
import os
import random
import secrets
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from e2e import commands, databases
from e2e.ending import CannotStart, Interrupted
from e2e.environment import ROOT, SERVICES
from e2e.faults.database import Database
from e2e.faults.gateway import Gateway
from e2e.faults.rows import CLOCKS, EMBEDDED, PRIVATE, SHARED
from e2e.faults.servers import Postgres, Rabbit
from e2e.processes import Supervisor
from e2e.stack import Stack
from e2e.waiting import until

DATABASE_URL = "postgres://postgres@127.0.0.1:5432/postgres"
BROKER_URL = "amqp://guest:guest@127.0.0.1:5672//"
CLOCK = Path(__file__).with_name("clock.c")


class GatedStack(Stack):
    """A stack whose services reach each other through the gateways alone."""

    def __init__(self, clocks: dict[str, str], **options: Any) -> None:
        super().__init__(**options)
        self.clocks = clocks
        self.to_producer = Gateway(self.at.producer)  # what the consumer sends the producer
        self.to_consumer = Gateway(self.at.consumer)  # what the producer sends the consumer
        self.stranger = Gateway()  # a third party that results may be posted to

    def _prepare(self, environments: commands.Environments) -> None:
        producer, consumer = (environments[service] for service in SERVICES)
        producer["PRODUCER_URL"] = consumer["PRODUCER_URL"] = self.to_producer.origin
        producer["CONSUMER_URL"] = self.to_consumer.origin
        consumer["WEBHOOK_ALLOWED_ORIGINS"] = f"{self.to_producer.origin},{self.stranger.origin}"
        super()._prepare(environments)
        consumer |= self.clocks


class Stage:
    """A context manager; entering starts everything. Raises CannotStart."""

    def __init__(self, stand: str, ended: threading.Event) -> None:
        self.stand = stand
        self.ended = ended
        self.folder = Path(tempfile.mkdtemp(prefix="faults-"))
        self.folder.chmod(0o755)  # the servers' accounts pass through
        self.servers: dict[str, Postgres] = {}  # by service
        self.rabbit: Rabbit | None = None
        self._mounts: list[Path] = []
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            opened.callback(shutil.rmtree, self.folder, ignore_errors=True)
            opened.callback(self._unmount)
            urls = self._places(opened)
            broker = self._broker(opened)
            self.stack = GatedStack(
                self.clock_environment("processes") if self.stand == CLOCKS else {},
                producer_database=urls[0],
                consumer_database=urls[1],
                broker=broker,
                ended=self.ended,
            )
            self.to_producer, self.to_consumer = self.stack.to_producer, self.stack.to_consumer
            for gateway in (self.to_producer, self.to_consumer, self.stack.stranger):
                opened.enter_context(gateway)
            opened.enter_context(self.stack)
            self.producer, self.consumer = (
                Database(self.stack.at.databases[service]) for service in SERVICES
            )
            self.producer.note_changes("orders_order", "uuid")
            self.consumer.note_changes("django_celery_results_taskresult", "task_id")
            self._exit = opened.pop_all()
        return self

    def __exit__(self, *details: object) -> None:
        self._exit.close()

    def _unmount(self) -> None:
        for folder in self._mounts:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)

    @property
    def processes(self) -> Supervisor:
        return self.stack.processes

    def _places(self, opened: contextlib.ExitStack) -> list[str]:
        """The URLs of both services' databases."""
        if self.stand == EMBEDDED:
            return ["", ""]
        if self.stand == SHARED:
            shared = urlsplit(os.environ.get("DATABASE_URL", DATABASE_URL))
            urls = [
                urlunsplit(shared._replace(path=f"/faults_{secrets.token_hex(6)}"))
                for _ in SERVICES
            ]
            for url in urls:
                opened.callback(databases.drop, url)
            return urls
        for service in SERVICES:
            faked = self.stand == CLOCKS and service == "consumer"
            env = self.clock_environment("database") if faked else {}
            self.servers[service] = server = Postgres(self.folder / service, env)
            opened.callback(server.close)
            server.start()
        return [self.servers[service].url(service) for service in SERVICES]

    def _broker(self, opened: contextlib.ExitStack) -> str:
        if self.stand == EMBEDDED:
            return ""
        if self.stand != PRIVATE:
            return os.environ.get("BROKER_URL", BROKER_URL)
        self.rabbit = Rabbit(self.folder / "rabbit")
        opened.callback(self.rabbit.close)
        self.rabbit.start()
        return self.rabbit.url

    # What rows do.

    def mounted(self, folder: Path) -> None:
        """Have a file system unmounted when everything has ended."""
        self._mounts.append(folder)

    def pause(self, seconds: float) -> None:
        """Let time pass, unless a signal ends it all."""
        if self.ended.wait(seconds):
            raise Interrupted

    def some_time(self, least: float, most: float) -> None:
        self.pause(random.uniform(least, most))

    def sql(self, service: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        database = self.producer if service == "producer" else self.consumer
        return database.rows(statement, *values)

    def manage(self, service: str, *arguments: str) -> str:
        """Run a management command in the service's environment; returns what it said."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT / service,
            env=self.processes.children[f"{service}-web"].env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"manage.py {arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def ready(self, *names: str) -> None:
        """Wait until these processes run, are no longer being restarted, and take work."""
        until(lambda: set(names) <= self.processes.pids().keys(), within=30, what=f"{names} run")
        self.stack.wait_until_ready(*names, within=90)

    def children_of(self, name: str) -> list[int]:
        """The processes that a main process has forked: a pool's, or a web server's."""
        pid = self.processes.pids().get(name)
        try:
            text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        except OSError:
            return []
        return [int(child) for child in text.split()]

    def kill_child(self, name: str) -> None:
        """SIGKILL of one that it has forked, whichever."""
        if children := self.children_of(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(children), signal.SIGKILL)

    @contextlib.contextmanager
    def changed(self, *names: str, module: str = "", **env: str) -> Iterator[None]:
        """Run processes with other variables, a worker with another module; then as before."""
        before = {
            name: (c.command, c.env) for name in names if (c := self.processes.children[name])
        }
        self.processes.stop(*names)
        for name in names:
            child = self.processes.children[name]
            child.env = child.env | env
            if module:
                child.command = [
                    f"{part},{module}" if part == "e2e.beacon" else part for part in child.command
                ]
        self.processes.start(*names)
        self.ready(*names)
        try:
            yield
        finally:
            self.processes.stop(*names)
            for name, (command, environment) in before.items():
                child = self.processes.children[name]
                child.command, child.env = command, environment
            self.processes.start(*names)
            self.ready(*names)

    @contextlib.contextmanager
    def another(self, name: str) -> Iterator[str]:
        """A second process of a worker's kind; its name."""
        child = self.processes.children[name]
        other = f"{name}-2"
        command = [part.replace(f"{name}@", f"{other}@") for part in child.command]
        log = child.log.with_name(f"{other}.log")
        self.processes.add(replace(child, name=other, command=command, log=log))
        self.processes.start(other)
        try:
            until(
                lambda: "worker ready" in self.processes.children[other].output(),
                within=60,
                what=f"{other} is ready",
            )
            yield other
        finally:
            self.processes.stop(other)

    # Clocks.

    def clock_environment(self, clock: str) -> dict[str, str]:
        """What makes a process follow one of the clocks. Raises CannotStart without a compiler."""
        library, file = self.folder / "clock.so", self.folder / f"{clock}.clock"
        if not library.exists():
            try:
                subprocess.run(
                    ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(CLOCK), "-ldl"],
                    check=True,
                )
            except (OSError, subprocess.CalledProcessError) as error:
                raise CannotStart(f"a C compiler is needed to change a clock: {error}") from error
        file.write_bytes(struct.pack("q", 0))
        file.chmod(0o644)
        return {"LD_PRELOAD": str(library), "FAULTS_CLOCK": str(file)}

    def set_clock(self, clock: str, seconds: int) -> None:
        """Have a clock of the consumer's, its processes' or its database's, go so much ahead."""
        with (self.folder / f"{clock}.clock").open("r+b", buffering=0) as file:
            file.write(struct.pack("q", seconds))
