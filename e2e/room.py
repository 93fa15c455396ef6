"""What a stack stands on: its folders, databases and queues, made before it and removed after."""

import shutil
from pathlib import Path
from typing import NoReturn

import psycopg2

from e2e import brokers, databases
from e2e.ending import CannotStart, say
from e2e.environment import Addresses


def make(at: Addresses, folder: Path, logs: Path) -> None:
    """Folders, databases where missing, and an empty embedded broker. Raises CannotStart."""
    logs.mkdir(parents=True, exist_ok=True)
    for log in logs.glob("*.log"):  # an earlier run's
        log.unlink()
    for service, url in at.databases.items():
        (folder / service).mkdir(exist_ok=True)
        try:
            databases.create(url)
        except (psycopg2.Error, ValueError) as error:
            _refuse(f"The {service}'s database", url, error)
    for url in set(at.brokers.values()):
        try:
            brokers.check(url)
        except Exception as error:  # each transport has its own
            _refuse("The broker", url, error)
        brokers.empty_folder(url)


def _refuse(what: str, url: str, error: Exception) -> NoReturn:
    address = url.rpartition("@")[2]  # without the password
    reason = " ".join(str(error).split())
    raise CannotStart(
        f"{what} at {address} can't be used: start it, or correct its URL. ({reason})"
    ) from error


def clear(at: Addresses, queues: list[str], folder: Path, *, keep: Path | None = None) -> None:
    """Delete the queues, and the folder with everything but `keep`. Databases stay."""
    for url in set(at.brokers.values()) if queues else ():
        try:
            brokers.delete_queues(url, queues)
        except Exception as error:  # each transport has its own
            say(f"the queues {at.queue_prefix}* are left in the broker: {error}")
    for path in folder.iterdir():
        if path != keep:
            shutil.rmtree(path, ignore_errors=True)
    if keep is None:
        folder.rmdir()
