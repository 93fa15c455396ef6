"""The README's walk-through, run as it stands there by a reader who has `make up` running.

Its ```bash blocks run in order, in one shell, in a folder where `var/secrets.json` is as `make up`
writes it; the two addresses alone are replaced by those of the test's stack.
"""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from unittest import skipUnless

from e2e.environment import ROOT
from e2e.testing import StackTestCase

README = ROOT / "README.md"
SECTION = "Walk-through"


def bash_blocks(text: str) -> str:
    """All that the section tells the reader to paste."""
    section = re.search(rf"^## {SECTION}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if section is None:
        raise AssertionError(f"README.md has no section `## {SECTION}`")
    return "\n".join(re.findall(r"^```bash\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL))


@skipUnless(README.exists(), "README.md is not written yet")
class WalkthroughTests(StackTestCase):
    def test_the_readmes_walk_through_leads_to_a_confirmed_order(self) -> None:
        script = bash_blocks(README.read_text())
        script = script.replace("http://127.0.0.1:7000", self.stack.at.producer)
        script = script.replace("http://127.0.0.1:8000", self.stack.at.consumer)
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "var").mkdir()
        (folder / "var/secrets.json").write_text(json.dumps(self.stack.secret, indent=2))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("confirmed", done.stdout)
