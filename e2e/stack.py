"""Both services, every process as in production, on free ports and in a folder of their own.

`python -m e2e.stack [--producer-database URL] [--consumer-database URL] [--broker URL]` runs until
SIGTERM or Ctrl-C. When ready it prints one line of JSON: the addresses, a user's token, the service
keys, the processes.
"""

import argparse
import json
import secrets
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Self

import requests

from e2e import brokers, commands, ending, environment, room
from e2e.commands import QUEUES, WEB, WORKERS
from e2e.ending import CannotStart, Interrupted
from e2e.environment import SERVICES
from e2e.processes import Supervisor
from e2e.waiting import TimedOut, until

START_SECONDS = 60.0


class Stack:
    """The running system, as a context manager: `with Stack() as stack: …`.

    Databases and broker are URLs; where one is empty, SQLite and the embedded broker in the stack's
    folder. Without a `folder` everything is temporary, RabbitMQ's queues included. `processes`
    stops, starts and kills each process by its name. Entering raises CannotStart, or Interrupted
    when the event `ended` is set during the start.
    """

    def __init__(
        self,
        *,
        producer_database: str = "",
        consumer_database: str = "",
        broker: str = "",
        folder: Path | None = None,
        secret: dict[str, str] | None = None,
        listen: tuple[int, int] | None = None,
        admin_password: str = "",
        ended: threading.Event | None = None,
    ) -> None:
        self.temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="e2e-"))
        self.logs = self.folder / "log"
        self.secret = secret or environment.make_secrets()
        self.at = environment.Addresses.choose(
            self.folder,
            databases=(producer_database, consumer_database),
            broker=broker,
            listen=listen,
            queue_prefix=f"e2e-{secrets.token_hex(4)}." if self.temporary else "",
        )
        self.queues = [self.at.queue_prefix + name for name in QUEUES]
        self.admins_made: list[str] = []  # services that had no admin before
        self._admin_password = admin_password
        self._ended = ended or threading.Event()
        self.processes = Supervisor(ending.say)

    def __enter__(self) -> Self:
        try:
            room.make(self.at, self.folder, self.logs)
            environments = environment.of_services(self.at, self.secret)
            self._prepare(environments)
            self._start(environments)
        except BaseException as error:
            self.stop(keep_logs=isinstance(error, CannotStart))
            raise
        return self

    def __exit__(self, *details: Any) -> None:
        self.stop()

    def ready(self) -> dict[str, Any]:
        """What the command prints: how to reach this stack, and its main processes."""
        return {
            "producer": self.at.producer,
            "consumer": self.at.consumer,
            "token": self.secret["user_token"],
            "api_key": self.secret["consumer_api_key"],
            "producer_api_key": self.secret["producer_api_key"],
            "processes": self.processes.pids(),
        }

    def wait_until_ready(self, *names: str, within: float = START_SECONDS) -> None:
        """Wait until the named processes answer, or take tasks. Raises CannotStart."""
        for name in names:
            self._wait(partial(self._is_ready, name), [name], within)

    def messages(self) -> int:
        """How many messages wait in the broker."""
        return brokers.messages(set(self.at.brokers.values()), self.queues)

    def purge(self) -> int:
        """Delete every message that waits in the broker; returns how many there were."""
        return brokers.purge(set(self.at.brokers.values()), self.queues)

    def stop(self, *, keep_logs: bool = False) -> list[str]:
        """End every process, and delete what is temporary.

        Returns the names of those processes that had to be killed.
        """
        killed = self.processes.close()
        if self.temporary:
            queues = self.queues if self.processes.children else []  # else nobody made them
            said = keep_logs and any(self.logs.iterdir())
            room.clear(self.at, queues, self.folder, keep=self.logs if said else None)
        return killed

    def _prepare(self, environments: commands.Environments) -> None:
        """Migrations, keys and accounts, both services at once."""
        accounts = {
            "USER_TOKEN": self.secret["user_token"],
            "ADMIN_PASSWORD": self._admin_password,
        }
        jobs = commands.preparations(
            {service: own | accounts for service, own in environments.items()}, self.logs
        )
        names = [job.name for job in jobs]
        self.processes.add(*jobs)
        self.processes.start(*names)
        self._wait(lambda: all(job.code == 0 for job in jobs), names, START_SECONDS)
        self.admins_made = [
            service
            for service, job in zip(SERVICES, jobs, strict=True)
            if environment.ADMIN_MADE in job.output()
        ]

    def _start(self, environments: commands.Environments) -> None:
        at = self.at
        self.processes.add(
            *commands.processes(at.producer, at.consumer, at.queue_prefix, environments, self.logs)
        )
        self.processes.start(*WEB, *WORKERS)
        self.wait_until_ready(*WEB, *WORKERS)
        self.processes.restarting = True

    def _is_ready(self, name: str) -> bool:
        if name in WORKERS:
            return environment.READY in self.processes.children[name].output()
        origin = self.at.producer if name == "producer-web" else self.at.consumer
        try:
            return requests.get(f"{origin}/health/ready", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def _wait(self, condition: Callable[[], bool], names: list[str], within: float) -> None:
        """Wait for processes. Raises CannotStart when one of them ends, or takes too long."""

        def answer() -> bool:
            if self._ended.is_set():
                raise Interrupted
            for name in names:
                if code := self.processes.children[name].code:
                    self._complain(name, f"ended with exit code {code}")
            return condition()

        try:
            until(answer, within=within, what=", ".join(names))
        except TimedOut:
            self._complain(names[-1], f"was not ready within {within:g} s")

    def _complain(self, name: str, what: str) -> NoReturn:
        child = self.processes.children[name]
        raise CannotStart(f"{name} {what}. The end of its log, {child.log}:\n{child.last_words()}")


def serve(ended: threading.Event) -> int:
    parser = argparse.ArgumentParser(prog="python -m e2e.stack")
    parser.add_argument("--producer-database", metavar="URL", default="")
    parser.add_argument("--consumer-database", metavar="URL", default="")
    parser.add_argument("--broker", metavar="URL", default="")
    with Stack(**vars(parser.parse_args()), ended=ended) as stack:
        print(json.dumps(stack.ready()), flush=True)
        ended.wait()
    return 0


if __name__ == "__main__":
    ending.run(serve)
