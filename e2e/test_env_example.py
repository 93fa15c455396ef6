"""Each service's .env.example lists every variable that it reads, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from unittest import TestCase

from e2e.environment import ROOT, SERVICES

VARIABLE = re.compile(r"[A-Z][A-Z_]+")
LISTED = re.compile(rf"^(?:# )?({VARIABLE.pattern})=", re.MULTILINE)
READERS = re.compile(r"(os\.environ|(self\.)?env|self)\.\w+")  # env.secret, os.environ.get, …
NOT_OURS = {"DJANGO_SETTINGS_MODULE"}


def read_by(service: str) -> set[str]:
    """The variables that a service's settings, and the chassis, read by name."""
    files = [*ROOT.glob(f"{service}/config/*.py"), *ROOT.glob("chassis/*.py")]
    return {name for file in files for name in names_in(file)} - NOT_OURS


def names_in(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and node.args and READERS.fullmatch(ast.unparse(node.func)):
            name = node.args[0]
            if isinstance(name, ast.Constant) and VARIABLE.fullmatch(str(name.value)):
                yield str(name.value)


class EnvExampleTests(TestCase):
    def test_each_service_lists_the_variables_that_it_reads_and_no_other(self) -> None:
        for service in SERVICES:
            with self.subTest(service=service):
                listed = LISTED.findall((ROOT / service / ".env.example").read_text())
                self.assertEqual(sorted(listed), sorted(read_by(service)))
