"""The blocks of docs/extend.md fit the repository, and the result passes its checks and its tests."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents.edits import edits_in
from tests.support.processes import only


def run(copy: Path, module: str, *arguments: str) -> None:
    """Run a tool in the copy. Raise AssertionError with its output if it fails."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=copy, env=only({"PYTHONPATH": str(copy)}), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_block_of_the_document_names_its_file(document: str) -> None:
    edits = edits_in(document)
    assert edits
    assert [edit.code for edit in edits if not edit.action] == []


def test_the_files_of_the_document_pass_the_linter(document: str, copy: Path) -> None:
    changed = sorted({edit.path for edit in edits_in(document) if edit.path.endswith(".py")})
    run(copy, "ruff", "check", "--no-cache", *changed)
    run(copy, "ruff", "format", "--no-cache", "--diff", *changed)


@pytest.mark.slow
def test_the_type_checker_accepts_the_copy(copy: Path) -> None:
    run(copy, "mypy", "--cache-dir", str(copy / "cache"))


@pytest.mark.slow
def test_the_tests_that_the_document_names_pass(document: str, copy: Path) -> None:
    named = sorted(set(re.findall(r"`(tests/\S+/test_\w+\.py)`", document)))
    assert named
    run(copy, "pytest", "-p", "no:cacheprovider", *named)
