"""The processes of both services, each with the command that production runs."""

import sys
from pathlib import Path

from e2e.child import Child
from e2e.environment import ROOT, SERVICES

WEB = ("producer-web", "consumer-web")
WORKERS = ("producer-worker", "consumer-worker", "consumer-webhooks")
DISPATCH = ("producer.dispatch", "producer.clock", "producer.prune")
PROCESS = ("consumer.process", "consumer.sweep", "consumer.clock", "consumer.prune")
WEBHOOKS = ("consumer.webhooks",)
QUEUES = DISPATCH + PROCESS + WEBHOOKS

Environments = dict[str, dict[str, str]]  # by service


def processes(
    producer: str, consumer: str, prefix: str, environments: Environments, logs: Path
) -> list[Child]:
    """Every process; `producer` and `consumer` are origins, `prefix` begins each queue's name."""
    dispatch, process, webhooks = (
        ",".join(prefix + queue for queue in queues) for queues in (DISPATCH, PROCESS, WEBHOOKS)
    )
    commands = {
        "producer-web": _web(producer),
        "consumer-web": _web(consumer),
        "producer-worker": _worker("producer-worker", "-P threads -c 1", dispatch),
        "consumer-worker": _worker(
            "consumer-worker", "-P prefork -c 2 --prefetch-multiplier=4", process
        ),
        "consumer-webhooks": _worker("consumer-webhooks", "-P threads -c 1", webhooks),
    }
    return [_child(name, command.split(), environments, logs) for name, command in commands.items()]


def preparations(environments: Environments, logs: Path) -> list[Child]:
    """The jobs that make each service ready to start: see e2e.prepare."""
    path = {"PYTHONPATH": str(ROOT)}
    return [
        _child(
            f"{service}-prepare",
            ["e2e.prepare"],
            {service: environments[service] | path},
            logs,
            once=True,
        )
        for service in SERVICES
    ]


def _web(origin: str) -> str:
    return f"manage serve {origin.removeprefix('http://')}"


def _worker(name: str, pool: str, queues: str) -> str:
    # e2e.beacon is the one thing that production does not have.
    return (
        f"celery -A config worker {pool} -Q {queues} -n {name}@%h "
        "--without-gossip --without-mingle --without-heartbeat -I e2e.beacon"
    )


def _child(
    name: str, module: list[str], environments: Environments, logs: Path, *, once: bool = False
) -> Child:
    """A process of the service that its name begins with, run in the service's folder."""
    service = name.partition("-")[0]
    command = [sys.executable, "-m", *module]
    return Child(name, command, ROOT / service, environments[service], logs / f"{name}.log", once)
