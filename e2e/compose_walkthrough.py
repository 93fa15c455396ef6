"""The README's walk-through, as it says to paste it beside a stack of containers."""

import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

from e2e.compose import Compose
from e2e.environment import ROOT
from e2e.test_walkthrough import HEADING, walk_through

WITH_CONTAINERS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTEAD_OF = re.compile(r"^KEY=.*\nWEBHOOK=.*\n", re.MULTILINE)


def script() -> str:
    """Every line to be pasted, those for containers in the place of those for `make up`."""
    section = (ROOT / "README.md").read_text().partition(HEADING)[2].partition("\n## ")[0]
    (lines,) = WITH_CONTAINERS.findall(section)
    pasted, replaced = INSTEAD_OF.subn(lambda _: lines, walk_through())
    assert replaced == 1, "the README's lines for `make up` are not as they were"
    return pasted


def paste(compose: Compose) -> tuple[int, str]:
    """Run it in one bash that stops at the first error; its exit code, and what it printed."""
    lines = script()
    for there, here in (
        ("http://127.0.0.1:7000", compose.producer),
        ("http://127.0.0.1:8000", compose.consumer),
        ("docker-compose", shlex.join(compose.command)),
    ):
        lines = lines.replace(there, here)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, ".curlrc").write_text("fail-with-body\n")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines],
            cwd=ROOT,
            env=os.environ | {"CURL_HOME": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
    return done.returncode, done.stdout
