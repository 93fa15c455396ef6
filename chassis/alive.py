"""A container's health check: `python -I -S alive.py PORT` or `python -I -S alive.py FILE`.

A web process is healthy when it answers 200 to /health/ready; a worker when its timer has touched
its file within 30 seconds (chassis.worker). Exits 0, or 1 and says what is wrong. It runs every few
seconds in each container, so it loads little: `-I -S` spares it the installed packages, and keeps
the modules beside it from standing in for Python's own.
"""

import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

SECONDS = 30


def problem(target: str) -> str:
    """What is wrong, or an empty text."""
    try:
        return problem_of_web(int(target)) if target.isdecimal() else problem_of_worker(target)
    except (OSError, HTTPException) as error:
        return f"{target}: {error!r}"


def problem_of_web(port: int) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        if response.status == 200:
            return ""
        return f"/health/ready answered {response.status}: {response.read(500).decode()}"
    finally:
        connection.close()


def problem_of_worker(file: str) -> str:
    if time.time() - Path(file).stat().st_mtime > SECONDS:
        return f"{file} was not touched for {SECONDS} s"
    return ""


if __name__ == "__main__":
    sys.exit(problem(sys.argv[1]) or None)
