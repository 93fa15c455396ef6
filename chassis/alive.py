"""A container's health check: `python -m chassis.alive URL` or `python -m chassis.alive FILE`.

A web process is healthy when it answers 200; a worker when its timer has touched its file within
30 seconds (chassis.worker). Exits 0 or 1, and says what is wrong.
"""

import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

SECONDS = 30


def problem(target: str) -> str:
    """What is wrong, or an empty text."""
    try:
        if target.startswith("http"):
            urllib.request.urlopen(target, timeout=3).close()  # noqa: S310  # our own address
        elif time.time() - Path(target).stat().st_mtime > SECONDS:
            return f"{target} was not touched for {SECONDS} s"
    except (OSError, urllib.error.URLError) as error:
        return f"{target}: {error}"
    return ""


if __name__ == "__main__":
    sys.exit(problem(sys.argv[1]) or None)
