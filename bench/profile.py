"""Where a request's or a task's time goes: `python -m bench.profile order` (or another of CALLS).

Each runs in process, in its service's environment, against the databases of a stack whose workers
are stopped. Prints the CPU of a call, measured without the profiler, then the profiler's tree.
"""

import argparse
import subprocess
import sys

from bench import tables
from bench.receiver import Receiver
from e2e import environment
from e2e.commands import WORKERS
from e2e.stack import Stack

CALLS = {  # and the service that runs it
    "order": "producer",  # POST orders/
    "dispatch": "producer",  # the task that sends due orders, a batch a call
    "webhook": "producer",  # POST orders/<uuid>/status/update
    "send": "consumer",  # POST send-message/, a list of 10
    "task": "consumer",  # a message's task, with its result stored
    "delivery": "consumer",  # the task that posts results, a batch a call
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("call", choices=CALLS)
    parser.add_argument("--calls", type=int, default=500)
    options = parser.parse_args()
    service = CALLS[options.call]
    with Receiver() as receiver, tables.named("profile") as at, Stack(**at) as stack:
        stack.processes.stop(*WORKERS)
        own = environment.of_services(stack.at, stack.secret)[service] | {
            "PYTHONPATH": str(environment.ROOT),
            "LOG_LEVEL": "INFO",
            "USER_TOKEN": stack.secret["user_token"],
            "WEBHOOK_ALLOWED_ORIGINS": receiver.origin,
            "WEBHOOK_SIGNATURE_REQUIRED": "0",
            "RECEIVER": receiver.origin,
        }
        command = [sys.executable, "-m", "bench.calls", options.call, str(options.calls)]
        folder, log = environment.ROOT / service, stack.logs / "profile.log"
        with log.open("wb") as errors:  # the log's lines: written, as in production, but not shown
            done = subprocess.run(command, cwd=folder, env=own, stderr=errors, check=False)
        if done.returncode:
            sys.exit(log.read_text()[-2000:])


if __name__ == "__main__":
    main()
