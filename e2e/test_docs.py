"""The pages for people: what they link to is there."""

import re
from pathlib import Path
from unittest import TestCase

from e2e.environment import ROOT

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def anchors(page: Path) -> set[str]:
    """What the headings of a page are linked by."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


class LinkTests(TestCase):
    def test_every_link_of_every_page_leads_somewhere(self) -> None:
        for page in pages():
            for path, anchor in LINK.findall(page.read_text()):
                with self.subTest(page=page.name, path=path, anchor=anchor):
                    target = (page.parent / path) if path else page
                    self.assertTrue(target.exists())
                    if anchor:
                        self.assertIn(anchor, anchors(target))

    def test_every_page_is_linked_from_the_readme_or_from_a_page_that_is(self) -> None:
        reached, found = {ROOT / "README.md"}, {ROOT / "README.md"}
        while found:
            page = found.pop()
            links = {(page.parent / path).resolve() for path, _ in LINK.findall(page.read_text())}
            found |= {link for link in links - reached if link.suffix == ".md"}
            reached |= links
        self.assertEqual({page.resolve() for page in pages()} - reached, set())
