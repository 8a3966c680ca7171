"""The sections, tables and links of a Markdown document."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT

HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
BETWEEN_CELLS = re.compile(r"(?<!\\)\|")


class Section(NamedTuple):
    """`text` ends before the next heading, of whatever level."""

    heading: str
    text: str

    @property
    def rows(self) -> list[dict[str, str]]:
        """Return the rows of the section's first table, with the names of its columns."""
        lines = [line for line in self.text.splitlines() if line.startswith("|")]
        names, _, *rows = map(cells, lines)
        return [dict(zip(names, row, strict=True)) for row in rows]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in BETWEEN_CELLS.split(line.strip("|"))]


def read(name: str) -> str:
    """Return the text of a document, for example "docs/reference.md"."""
    return (ROOT / name).read_text()


def sections_of(document: str) -> list[Section]:
    """Return the sections in order. A line in a block of code is no heading."""
    hidden = CODE.sub(lambda block: " " * len(block[0]), document)
    found = list(HEADING.finditer(hidden))
    ends = [*(match.start() for match in found[1:]), len(document)]
    return [Section(match[2], document[match.end() : end]) for match, end in zip(found, ends, strict=True)]


def section(name: str, heading: str) -> Section:
    """Return the only section of a document with this heading. Raise AssertionError if there is none."""
    found = [one for one in sections_of(read(name)) if one.heading == heading]
    assert len(found) == 1, f"{name} needs one heading {heading!r}, and has {len(found)}"
    return found[0]


def anchors_of(document: str) -> set[str]:
    """Return the names by which a link can point to the headings."""
    return {anchor(one.heading) for one in sections_of(document)}


def anchor(heading: str) -> str:
    """Return the name that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def links_of(document: str) -> Iterator[str]:
    """Yield the target of each link that is not in a block of code."""
    for match in LINK.finditer(CODE.sub("", document)):
        yield match[1]


def documents() -> list[Path]:
    """Return every document of the repository."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
