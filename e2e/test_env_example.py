"""Each service's .env.example, and docs/configuration.md, list every variable that it reads, and no
other.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from unittest import TestCase

from e2e.environment import ROOT, SERVICES

VARIABLE = re.compile(r"[A-Z][A-Z_]+")
LISTED = re.compile(rf"^(?:# )?({VARIABLE.pattern})=(.*)$", re.MULTILINE)
ROW = re.compile(
    rf"^\| `({VARIABLE.pattern})` \| (both|producer|consumer) \| (.+?) \|", re.MULTILINE
)
READERS = re.compile(r"(os\.environ|(self\.)?env|self)\.\w+")  # env.secret, os.environ.get, …
NOT_OURS = {"DJANGO_SETTINGS_MODULE", "FUZZ_BODIES"}  # Django's, and the tests'


def read_by(service: str) -> set[str]:
    """The variables that a service's settings, and the chassis, read by name."""
    files = [*ROOT.glob(f"{service}/config/*.py"), *ROOT.glob("chassis/*.py")]
    files += ROOT.glob("chassis/management/commands/*.py")
    return {name for file in files for name in names_in(file)} - NOT_OURS


def names_in(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and node.args and READERS.fullmatch(ast.unparse(node.func)):
            name = node.args[0]
            if isinstance(name, ast.Constant) and VARIABLE.fullmatch(str(name.value)):
                yield str(name.value)


def listed_by(service: str) -> dict[str, str]:
    """The variables of its .env.example, with their defaults; "" for none."""
    return dict(LISTED.findall((ROOT / service / ".env.example").read_text()))


def documented_for(service: str) -> dict[str, str]:
    """The variables of the page, with their defaults as it shows them."""
    rows = ROW.findall((ROOT / "docs" / "configuration.md").read_text())
    return {name: default for name, whose, default in rows if whose in ("both", service)}


class EnvExampleTests(TestCase):
    def test_each_service_lists_the_variables_that_it_reads_and_no_other(self) -> None:
        for service in SERVICES:
            with self.subTest(service=service):
                self.assertEqual(sorted(listed_by(service)), sorted(read_by(service)))

    def test_the_page_about_configuration_has_the_same_with_their_defaults(self) -> None:
        for service in SERVICES:
            with self.subTest(service=service):
                shown = documented_for(service)
                defaults = {
                    name: default.strip("`") if default.startswith("`") else ""
                    for name, default in shown.items()
                }
                self.assertEqual(defaults, listed_by(service))
