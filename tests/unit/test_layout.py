"""The layout of the repository: small modules, and folders of one idea."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

LONGEST_MODULE = 200
MOST_MODULES = 12
PACKAGES = ("allocation", "benchmarks", "readmodel", "tests")


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py")


def folders() -> list[Path]:
    return sorted({path.parent for path in modules()})


def test_no_module_has_more_than_200_lines() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()}
    assert {path: length for path, length in lines.items() if length > LONGEST_MODULE} == {}


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_has_few_modules(folder: Path) -> None:
    names = {path.name for path in folder.glob("*.py")} - {"__init__.py", "conftest.py"}
    assert len(names) <= MOST_MODULES, f"{folder} needs subfolders"
