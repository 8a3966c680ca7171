"""The blocks of code in a document: each says which file of the repository it creates, extends or changes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(r"(?:^(Create|Append to|Change) `([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = "sh"
"""The language of the blocks that edit no file."""


class Edit(NamedTuple):
    """A block of code. `action` is "Create", "Append to" or "Change", and empty if the document does not say that."""

    action: str
    path: str
    language: str
    code: str

    def apply(self, folder: Path) -> None:
        """Edit the file in this copy of the repository. Raise AssertionError if the block does not fit the file."""
        file = folder / self.path
        if self.action == "Create":
            assert not file.exists(), f"{self.path} exists already"
            file.write_text(self.code)
            return
        before = file.read_text()
        if self.action == "Append to":
            file.write_text(f"{before}\n{self.code}" if self.code.startswith(" ") else f"{before}\n\n{self.code}")
            return
        former, new = sides(self.code)
        places = f"\n{before}".split(f"\n{former}")
        assert len(places) == 2, f"{self.path} does not have these lines exactly once:\n{former}"
        file.write_text(f"\n{new}".join(places)[1:])


def edits_in(document: str) -> list[Edit]:
    """Return the blocks that edit files, in order."""
    return [edit for edit in blocks_in(document) if edit.language != EXAMPLES]


def examples_in(document: str) -> list[str]:
    return [block.code for block in blocks_in(document) if block.language == EXAMPLES]


def blocks_in(document: str) -> Iterator[Edit]:
    for match in BLOCK.finditer(document):
        yield Edit(match[1] or "", match[2] or "", match[3], match[4])


def sides(diff: str) -> tuple[str, str]:
    """Return the lines before and after a change."""
    lines = diff.splitlines(keepends=True)
    former, new = (
        "".join(line[1:] if line[0] in f" {sign}" else "" for line in lines if line != "\n") for sign in "-+"
    )
    return former, new
