"""The links of the documents lead to files and headings that exist."""

from pathlib import Path

import pytest

from tests.support.documents.tables import anchors_of, documents, links_of, read
from tests.support.paths import ROOT

LONGEST_README = 150


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_link_of_a_document_leads_to_a_heading(path: Path) -> None:
    assert [link for link in links_of(path.read_text()) if not is_found(path, link)] == []


def is_found(path: Path, link: str) -> bool:
    if "://" in link:
        return True
    name, _, heading = link.partition("#")
    target = path.parent / name if name else path
    return target.exists() and (not heading or heading in anchors_of(target.read_text()))


def test_the_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) <= LONGEST_README


def test_the_readme_leads_to_every_guide() -> None:
    linked = {link.partition("#")[0] for link in links_of(read("README.md"))}
    guides = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert guides - linked == set()
