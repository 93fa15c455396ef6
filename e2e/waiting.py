"""Waiting for something to come true: the one place that polls."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimedOut(AssertionError):
    """What was waited for did not come in time; a test that waits for it has failed."""


def until(condition: Callable[[], T | None], *, within: float, what: str, every: float = 0.05) -> T:
    """Call `condition` until its answer is true, and return that; times are seconds.

    Raises TimedOut, naming `what` was waited for.
    """
    deadline = time.monotonic() + within
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimedOut(f"{what}: not within {within:g} s; last seen: {answer!r}")
        time.sleep(every)
    return answer
