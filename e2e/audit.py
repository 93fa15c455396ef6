"""Looks the locked packages up among the known vulnerabilities: `python -m e2e.audit`.

Exits 1 where one has any. Where no source of advisories answers it says so, and exits 0: the
packages are then neither good nor bad.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from e2e.environment import ROOT

LOCKED = ("requirements-producer.txt", "requirements-consumer.txt", "requirements-dev.txt")


def audit() -> list[dict[str, Any]]:
    """What pip-audit says of each package; [] where it could not ask."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes"]
        command += ["--progress-spinner", "off", "--format", "json", "--output", str(answer)]
        for file in LOCKED:
            command += ["--requirement", str(ROOT / file)]
        subprocess.run(command, capture_output=True, check=False)
        try:
            found: list[dict[str, Any]] = json.loads(answer.read_text())["dependencies"]
        except (OSError, ValueError):
            return []
        return found


def main() -> None:
    packages = {package["name"]: package for package in audit()}.values()
    asked = [package for package in packages if "vulns" in package]
    if not asked:
        print("Nothing was audited: no source of advisories can be reached from here.")
        return
    bad = [package for package in asked if package["vulns"]]
    for package in bad:
        for vuln in package["vulns"]:
            mended = ", ".join(vuln["fix_versions"]) or "nothing yet"
            print(f"{package['name']} {package['version']}: {vuln['id']}, mended in {mended}")
    print(
        f"{len(asked)} packages audited, {len(bad)} vulnerable, "
        f"{len(packages) - len(asked)} unknown to the source."
    )
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
