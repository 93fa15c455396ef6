"""gunicorn's settings for both services: threads, since a request mostly waits for the database."""

import os
from typing import Any

from gunicorn import glogging

worker_class = "gthread"
# One process, that shares its core with the service's other processes: two cost an order 5 % more.
workers = int(os.environ.get("WEB_WORKERS", "1"))
threads = int(os.environ.get("WEB_THREADS", "8"))
# Loaded once, before the port is opened: whoever connects to a service that starts, or to the one
# process that is left, is refused or answered, and does not wait for the loading.
preload_app = True
keepalive = 75  # the services keep their connections to each other
timeout = 30
graceful_timeout = 8  # below the 10 s that a container is given to stop
control_socket_disable = True  # its file has no place in a read-only container
loglevel = "warning"


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's, which would gather an access log's fields at each request to throw them away."""

    def access(self, *args: Any) -> None:
        """Nothing: the service logs its requests itself (chassis.logs)."""


logger_class = Logger
# Its words go to the service's own log, in its form, as soon as that is set up.
logconfig_dict = {
    "root": {"level": "WARNING", "handlers": ["console"]},
    "loggers": {"gunicorn.error": {"handlers": [], "propagate": True}},
}

# A request rather answers 503 than wait longer than this for a lock (seconds). It may have waited
# two or three times as long before, for a thread whose request waited: connections that are kept
# stay with their process. Still it is answered within 2 s.
os.environ.setdefault("DATABASE_PATIENCE", "0.5")
