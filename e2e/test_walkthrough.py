"""The README's walk-through, run as it stands."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from e2e.environment import ROOT
from e2e.testing import StackTestCase
from e2e.waiting import until

HEADING = "## Walk-through\n"
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def walk_through() -> str:
    """Every line that the README asks to paste."""
    _, _, rest = (ROOT / "README.md").read_text().partition(HEADING)
    return "\n".join(BLOCK.findall(rest.partition("\n## ")[0]))


class WalkThroughTests(StackTestCase):
    def test_pasted_as_it_stands_it_ends_in_a_confirmed_order(self) -> None:
        said = self.paste(walk_through())
        self.assertIn('"status":"pending"', said)
        self.assertIn("The order is confirmed.", said)
        for step in ("accepted", "sent", "task", "processed", "result", "confirmed"):
            self.assertIn(f'"event": "{step}"', said)
        until(self.message_is_gone, within=30, what="the message's delivery ended as gone")

    def message_is_gone(self) -> bool:
        """Whether the message of the last step came to the end that the README tells of."""
        tasks = [task for task in self.consumer.tasks() if task["order_key"] == "ABC123"]
        return [(task["result"], task["delivery"]["state"]) for task in tasks] == [
            ("USDABC123pending", "gone")
        ]

    def paste(self, script: str) -> str:
        """Run it in one bash that stops at the first error; returns what it printed."""
        at = self.stack.at
        for there, here in (
            ("http://127.0.0.1:7000", at.producer),
            ("http://127.0.0.1:8000", at.consumer),
            (".venv/bin/python", sys.executable),
        ):
            self.assertIn(there, script)
            script = script.replace(there, here)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, ".curlrc").write_text("fail-with-body\n")
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=ROOT,
                # Where `make up` keeps its database by default, this stack has another.
                env={
                    "PATH": os.environ["PATH"],
                    "CURL_HOME": folder,
                    "DATABASE_URL": at.databases["consumer"],
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
                check=False,
            )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout
