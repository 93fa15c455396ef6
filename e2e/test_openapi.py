"""What both services answer is what their documents say: schemathesis calls every operation.

With data that is right, wrong or on the border it looks for an answer of 500, and for a status, a
header, a content type or a body that the document does not have.
"""

import os
import subprocess
import sys

from e2e.environment import ROOT
from e2e.testing import StackTestCase

CLI = "from schemathesis.cli import schemathesis; schemathesis()"
CONFIG = ROOT / "e2e" / "schemathesis.toml"


class DocumentTests(StackTestCase):
    def test_every_answer_is_as_the_documents_say(self) -> None:
        ready = self.stack.ready()
        confirmed = [self.producer.post_order()["uuid"] for _ in range(5)]
        for uuid in confirmed:
            self.producer.follow(uuid)
        with self.stopped("producer-worker"):
            pending = [self.producer.post_order()["uuid"] for _ in range(20)]
            runs = [
                self.start(
                    "producer",
                    TOKEN=ready["token"],
                    API_KEY=ready["producer_api_key"],
                    ORDERS=" ".join(confirmed + pending),
                ),
                self.start("consumer", API_KEY=ready["api_key"]),
            ]
            said = [run.communicate(timeout=600)[0] for run in runs]
        print(*(summary(text) for text in said), sep="\n")
        self.assertEqual([run.returncode for run in runs], [0, 0], "\n".join(said))

    def start(self, service: str, **credentials: str) -> "subprocess.Popen[str]":
        origin = self.stack.ready()[service]
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", CLI, "--config-file", str(CONFIG), "run"),
                *(str(ROOT / "docs" / "openapi" / f"{service}.yaml"), "--url", origin),
            ],
            cwd=self.stack.folder,  # where it leaves its cache
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "SERVICE": origin,
                **credentials,
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process


def summary(said: str) -> str:
    return said[said.index("Test cases:") :].strip()
