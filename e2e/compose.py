"""The stack of containers, under a project name of its own: built, started, asked and removed."""

import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
from functools import partial
from typing import Any, Self

import requests

from e2e import ports
from e2e.ending import CannotStart, say
from e2e.environment import ROOT
from e2e.waiting import TimedOut, until

SERVICES = ("producer", "consumer")
JOBS = ("secrets", "producer-migrate", "consumer-migrate")
# Several of those that can be several: the rows they share are then fought for too.
SCALE = {"consumer-worker": 3, "consumer-webhooks": 2}
PATIENCE = 600.0  # seconds for one command of the client
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def client() -> list[str]:
    """The command that COMPOSE names, such as "docker compose"; else the one that is installed."""
    if named := os.environ.get("COMPOSE"):
        return shlex.split(named)
    return ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]


class Compose:
    """The running stack as a context manager, removed with all but its images afterwards.

    Entering raises CannotStart or TimedOut. It publishes the origins `producer` and `consumer`.
    """

    def __init__(self) -> None:
        self.project = f"e2e-{secrets.token_hex(4)}"
        self.command = [*client(), "--project-name", self.project]
        ours = ports.free(2)
        self.producer, self.consumer = (f"http://{ports.HOST}:{port}" for port in ours)
        published = {"PRODUCER_PORT": str(ours[0]), "CONSUMER_PORT": str(ours[1])}
        self.environment = os.environ | published

    def __enter__(self) -> Self:
        try:
            say(f"Building the images with {shlex.join(self.command)} …")
            self.run("build")
            say("Starting the containers …")
            self.up()
        except BaseException as error:
            if isinstance(error, CannotStart | TimedOut):
                say(self.logs())
            self.remove()
            raise
        return self

    def __exit__(self, *details: Any) -> None:
        self.remove()

    def run(self, *arguments: str) -> str:
        """Run the client, and return what it printed. Raises CannotStart where it fails."""
        return _run([*self.command, *arguments], self.environment)

    def up(self) -> None:
        """Start what does not run, and wait until it is healthy."""
        scale = [f"--scale={service}={count}" for service, count in SCALE.items()]
        self.run("up", "-d", *scale)
        for origin in (self.producer, self.consumer):
            until(partial(_is_ready, origin), within=60, what=f"{origin} ready")
        self.wait_until_healthy()

    def wait_until_healthy(self, within: float = 90) -> None:
        until(lambda: not self.unhealthy(), within=within, what="healthy containers", every=0.5)

    def unhealthy(self) -> list[str]:
        """The containers that are not as they should be: healthy, or jobs that ended well."""
        return [f"{c['Name']}: {c['State']}" for c in self.containers() if not _is_well(c)]

    def containers(self, *services: str) -> list[dict[str, Any]]:
        """What the engine says of each container, of these services or of all."""
        ours = f"label=com.docker.compose.project={self.project}"
        ids = docker("ps", "--all", "--quiet", "--filter", ours).split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
        return [c for c in found if not services or service_of(c) in services]

    def user(self, container: dict[str, Any]) -> str:
        """The id of the user of a running container's main process, as the machine sees it."""
        processes = docker("top", container["Id"], "-eo", "pid,uid").splitlines()[1:]
        users = dict(process.split() for process in processes)
        return users[str(container["State"]["Pid"])]

    def logs(self) -> str:
        """The last lines of every container."""
        return self.run("logs", "--no-color", "--tail=20")

    def remove(self) -> None:
        """Remove the containers, networks and volumes, whatever signal comes meanwhile."""
        before = [signal.signal(number, signal.SIG_IGN) for number in ENDING]
        try:
            say("Removing the containers and their volumes …")
            self.run("down", "--volumes", "--remove-orphans")
        finally:
            for number, handler in zip(ENDING, before, strict=True):
                signal.signal(number, handler)


def service_of(container: dict[str, Any]) -> str:
    return container["Config"]["Labels"]["com.docker.compose.service"]


def _is_well(container: dict[str, Any]) -> bool:
    state = container["State"]
    if service_of(container) in JOBS:
        return state["Status"] == "exited" and state["ExitCode"] == 0
    return state.get("Health", {}).get("Status") == "healthy"


def _is_ready(origin: str) -> bool:
    try:
        return requests.get(f"{origin}/health/ready", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def docker(*arguments: str) -> str:
    return _run(["docker", *arguments], dict(os.environ))


def _run(command: list[str], environment: dict[str, str]) -> str:
    """What a command prints. In a session of its own, Ctrl-C does not reach it but through us."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        printed, said = process.communicate(timeout=PATIENCE)
    except BaseException:  # also when we are interrupted: it must not go on making containers
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate()
        raise
    if process.returncode:
        raise CannotStart(
            f"{shlex.join(command)} ended with {process.returncode}:\n{printed}{said}"
        )
    return printed
