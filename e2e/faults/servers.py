"""Servers of our own, to be stopped and killed: PostgreSQL and RabbitMQ, run from their binaries.

Each is the leader of a process group, gets SIGINT or SIGTERM when this process dies, and keeps what
it stores in a folder. Where a binary is missing, CannotStart says so.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

import psycopg2

from e2e import brokers, databases, ports
from e2e.ending import CannotStart
from e2e.waiting import until

START_SECONDS = 90.0
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/lib/rabbitmq/bin", "/usr/local/*/bin")


def find_program(name: str) -> str:
    """Its full path. Raises CannotStart where it is not installed."""
    found = sorted(path for place in PLACES for path in Path("/").glob(f"{place[1:]}/{name}"))
    if program := (str(found[-1]) if found else shutil.which(name)):
        return program
    raise CannotStart(f"{name} is not installed: this row needs a server of its own to kill.")


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    found = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


class Server:
    """A server that can be stopped, killed, frozen and started again."""

    user: ClassVar[str]  # the account it runs under when we are root: neither runs as root
    dies_by: ClassVar[str]  # the signal when this process is gone
    stops_by: ClassVar[signal.Signals]

    def __init__(self, folder: Path, own_env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        [self.port] = ports.free(1)
        self.env = {**os.environ, "HOME": str(folder)}
        self.own_env = own_env or {}  # seen by the server alone, not by what changes the account
        self.process: subprocess.Popen[bytes] | None = None
        self.own(folder)

    def own(self, folder: Path) -> None:
        """Give a folder to the account that the server runs under."""
        if os.getuid() == 0:
            account = pwd.getpwnam(self.user)
            os.chown(folder, account.pw_uid, account.pw_gid)

    def as_user(self, *command: str) -> list[str]:
        """The command run under the server's account, and ended when this process ends."""
        leash = ["setpriv", "--pdeathsig", self.dies_by]
        if os.getuid() == 0:
            leash += ["--reuid", self.user, "--regid", self.user, "--init-groups"]
        return [*leash, *command]

    def start(self) -> None:
        """Start it, and return when it answers."""
        with (self.folder / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                self.as_user(
                    "env", *(f"{k}={v}" for k, v in self.own_env.items()), *self.command()
                ),
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(self.answers, within=START_SECONDS, what=f"{type(self).__name__} answers", every=0.2)

    def stop(self) -> None:
        """In order, as an init system stops it."""
        if self.process is not None:
            self.process.send_signal(self.stops_by)
        self._wait(20)

    def kill(self) -> None:
        """SIGKILL of all at once, those included that were being started at this moment."""
        self.signal(signal.SIGKILL)
        self._wait(20)
        until(lambda: not self._kill_left(), within=20, what="all of its processes have ended")

    def signal(self, number: int) -> None:
        """Send a signal to every process of the server."""
        if self.process is not None:
            for pid in (self.process.pid, *descendants(self.process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def close(self) -> None:
        """End it and whatever it left running."""
        self.signal(signal.SIGCONT)
        self.kill()

    def _wait(self, seconds: float) -> None:
        if self.process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def _kill_left(self) -> list[int]:
        """Kill what is left of it; returns their pids.

        Those in our folder, which PostgreSQL's are, or with it as their HOME: Erlang's name server
        leaves every group.
        """
        mark = f"HOME={self.folder}\0".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                inside = (process / "cwd").readlink().is_relative_to(self.folder)
                if inside or mark in (process / "environ").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
                    found.append(int(process.name))
        return found

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError


class Postgres(Server):
    user, dies_by, stops_by = "postgres", "INT", signal.SIGINT

    def __init__(self, folder: Path, own_env: dict[str, str] | None = None) -> None:
        super().__init__(folder, own_env)
        self.data = folder / "data"
        made = subprocess.run(
            self.as_user(
                find_program("initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "-N"
            ),
            env=self.env,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise CannotStart(f"initdb: {made.stderr}")

    def url(self, database: str) -> str:
        return f"postgres://postgres@{ports.HOST}:{self.port}/{database}"

    def command(self) -> list[str]:
        options = (
            f"port={self.port}",
            f"listen_addresses={ports.HOST}",
            f"unix_socket_directories={self.folder}",
            "shared_buffers=64MB",
        )
        set_options = [part for option in options for part in ("-c", option)]
        return [find_program("postgres"), "-D", str(self.data), *set_options]

    def answers(self) -> bool:
        try:
            databases.connect(self.url("postgres")).close()
        except psycopg2.OperationalError:
            return False
        return True


class Rabbit(Server):
    user, dies_by, stops_by = "rabbitmq", "TERM", signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        [distribution, names] = ports.free(2)
        self.data = folder / "mnesia"
        self.env |= {
            "RABBITMQ_NODENAME": f"faults{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": ports.HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": ports.HOST,
            "RABBITMQ_MNESIA_BASE": str(self.data),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none.sh"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }
        self.url = f"amqp://guest:guest@{ports.HOST}:{self.port}//"

    def command(self) -> list[str]:
        return [find_program("rabbitmq-server")]

    def answers(self) -> bool:
        try:
            brokers.check(self.url)
        except Exception:  # the transport's own
            return False
        return True

    def lose_everything(self) -> None:
        """While it is stopped: its data is gone."""
        shutil.rmtree(self.data)
