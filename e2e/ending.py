"""How a command here ends: by a signal, or with one clear message."""

import signal
import sys
import threading
from collections.abc import Callable


class CannotStart(Exception):
    """Why, and what to do about it, for a person to read."""


class Interrupted(Exception):
    """A signal came while it started."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(command: Callable[[threading.Event], int]) -> None:
    """Run a command, which is to end when the event is set, and exit with what it returns.

    SIGTERM, SIGHUP and Ctrl-C set the event, as often as they come: no exception can then hit the
    code that ends the processes.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    try:
        sys.exit(command(ended))
    except Interrupted:
        sys.exit(0)
    except CannotStart as error:
        sys.exit(str(error))
