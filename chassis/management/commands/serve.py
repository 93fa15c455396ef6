"""`manage.py serve`: the service's web process, as production runs it."""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from argparse import ArgumentParser
from http.client import HTTPConnection, HTTPException
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.servers.basehttp import get_internal_wsgi_application
from django.urls import get_resolver
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from chassis.bodies import MAX_READ
from chassis.commands import REFUSED
from chassis.commands import Command as BaseCommand
from chassis.forks import share_memory

logger = logging.getLogger(__name__)

# ms for a request's headers to come, which the next request of a kept connection has too: longer
# than proxies keep theirs.
KEEP_ALIVE = 75_000
HEADERS = 64 * 1024  # bytes of a request's headers at most
GRACE = 8  # seconds for open requests at SIGTERM, of the 10 that a container is given to stop
# The server's lines go where the service's own go, in its form, and nothing else is set up anew.
LOGGING = {"incremental": True, "formatters": {}, "handlers": {}, "loggers": {}}


class Command(BaseCommand):
    help = (
        "Serve the service over HTTP at HOST:PORT until SIGTERM. WEB_WORKERS processes, each of "
        "WEB_THREADS threads, do the work; one that dies is replaced at once. Where one dies again "
        "within 5 seconds, the server ends."
    )
    examples = ("127.0.0.1:7000", "0.0.0.0:7000")
    exit_codes = {
        0: "stopped by SIGTERM or Ctrl-C",
        REFUSED: "the address can't be used, or its processes die again and again",
    }
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", metavar="HOST:PORT")

    def handle(self, *args: Any, address: str, **options: Any) -> None:
        host, port = _free(address)
        # All is loaded before the first process is forked, so that the next one is there at once.
        multiprocessing.set_start_method("fork", force=True)
        application = without_environment(with_length(get_internal_wsgi_application()))
        _ = get_resolver().url_patterns
        share_memory()

        def load() -> Any:
            threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
            return application

        server = Server(
            "",  # `load` says what is served
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=KEEP_ALIVE, max_buffer_size=HEADERS),
            workers=settings.WEB_WORKERS,
            blocking_threads=settings.WEB_THREADS,
            blocking_threads_idle_timeout=600,
            respawn_failed_workers=True,
            workers_kill_timeout=GRACE,
            log_level=LogLevels.error,
            log_dictconfig=LOGGING,
        )
        server.on_startup(threading.Thread(target=_warm_up, args=(host, port), daemon=True).start)
        # Not before: it would warn of more threads than cores, which is as it should be.
        server.on_startup(lambda: logging.getLogger("_granian").setLevel(logging.WARNING))
        server.serve(target_loader=load, wrap_loader=False)


def without_environment(application: Any) -> Any:
    """A WSGI application as it is, for a server that mixes its own environment, secrets and all,
    into each request.
    """
    inherited = tuple(os.environ.items())

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        for name, value in inherited:
            if environ.get(name) == value:  # else the request has one of its own
                del environ[name]
        return application(environ, start_response)

    return call


def with_length(application: Any) -> Any:
    """A WSGI application as it is, for bodies that come in chunks too: Django takes one without a
    Content-Length for empty. Of one that is too large it gets so much that it says so.
    """

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        if "HTTP_TRANSFER_ENCODING" in environ:  # whatever length is named beside it
            body = environ["wsgi.input"].read(MAX_READ)
            environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}
        return application(environ, start_response)

    return call


def _free(address: str) -> tuple[str, int]:
    """The host and the port to listen at. Raises CommandError where that can't be.

    The server itself would share a taken port with another server, each getting a part of all
    requests.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, int(port)), family=family) as taken:
            found: tuple[str, int] = taken.getsockname()[:2]  # a name is an address by now
            return found
    except (OSError, ValueError, OverflowError) as error:
        raise CommandError(f"Can't listen at {address}: {error}.") from None


def _warm_up(host: str, port: int) -> None:
    """Ask as many requests at once as there are threads: each is started by the first that finds
    none free, and connects to the database then. The first customers need not wait for it.
    """
    threads = settings.WEB_WORKERS * settings.WEB_THREADS
    connections = [HTTPConnection(host, port, timeout=GRACE) for _ in range(threads)]
    try:
        _connect(connections[0])
        for connection in connections:
            connection.request("GET", "/health/ready")
        for connection in connections:
            connection.getresponse().read()
    except (OSError, HTTPException) as error:
        logger.warning("threads are started by the first requests: %r", error)
    finally:
        for connection in connections:
            connection.close()


def _connect(connection: HTTPConnection) -> None:
    """As soon as somebody listens; raises OSError where nobody does in time."""
    end = time.monotonic() + GRACE
    while True:
        try:
            connection.connect()
            return
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def _end_with_parent() -> None:
    """A process whose parent was killed would go on serving, beside those of the next parent."""
    parent: Any = multiprocessing.parent_process()
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)  # open requests may end; one that never does would keep it
    os.kill(os.getpid(), signal.SIGKILL)
