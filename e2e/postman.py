"""`make postman`: runs the Postman collection against a stack of its own; newman's exit code."""

import os
import shutil
import subprocess
import sys
import threading

from e2e import ending
from e2e.ending import CannotStart, say
from e2e.environment import ROOT
from e2e.stack import Stack

NEWMAN = "newman@6.2.2"
FOLDER = ROOT / "docs" / "postman"
CACHE = ROOT / "var" / "npm"  # nothing is installed outside of this folder


def run(ended: threading.Event) -> int:
    npx = shutil.which("npx")
    if npx is None:
        raise CannotStart("newman runs on Node.js, and there is no npx. On Debian: apt install npm")
    say("Starting both services on free ports …")
    with Stack(ended=ended) as stack:
        values = {
            "producer": stack.at.producer,
            "consumer": stack.at.consumer,
            "webhook_origin": stack.at.producer,
            "producer_key": stack.secret["producer_api_key"],
            "consumer_key": stack.secret["consumer_api_key"],
            "webhook_secret": stack.secret["webhook_secret"],
        }
        command = [
            *(npx, "--yes", NEWMAN, "run", str(FOLDER / "shop.postman_collection.json")),
            *("--environment", str(FOLDER / "local.postman_environment.json")),
            *("--timeout-request", "20000"),
        ]
        for name, value in values.items():
            command += ["--env-var", f"{name}={value}"]
        env = {**os.environ, "npm_config_cache": str(CACHE)}
        return subprocess.run(command, env=env, stdout=sys.stdout, check=False).returncode


if __name__ == "__main__":
    ending.run(run)
