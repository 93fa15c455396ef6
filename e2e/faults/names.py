"""Loaded into a worker (`celery -I`): one name is looked up in a file instead of the DNS."""

import os
import socket
from pathlib import Path
from typing import Any

NAME = "producer.faults.test"
FILE = "FAULTS_NAMES"  # the variable that names the file


def write(file: Path, *, known: bool) -> None:
    part = file.with_suffix(".part")
    part.write_text("127.0.0.1" if known else "")
    part.rename(file)


def _look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
    if host != NAME:
        return _stock(host, port, *args, **kwargs)
    if kwargs.get("flags", 0) & socket.AI_NUMERICHOST or not (address := _known()):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return _stock(address, port, *args, **kwargs)


def _known() -> str:
    return Path(os.environ[FILE]).read_text()


_stock = socket.getaddrinfo
if FILE in os.environ:  # in the worker, not where its rows are made
    socket.getaddrinfo = _look_up
