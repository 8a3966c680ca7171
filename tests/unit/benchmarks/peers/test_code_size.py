"""The code size counts statements, but no blank lines, comments and docstrings."""

from pathlib import Path

from benchmarks.peers.code_size import lines_of_code

SOURCE = '''"""A module.

It has a docstring of three lines.
"""

from math import (
    pi,
)

TEXT = """two
lines"""
"""Documents TEXT."""


def area(r: float) -> float:
    """Return the area."""
    # A comment.
    return pi * r**2  # Another comment.
'''


def test_only_lines_with_code_count(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "area.py").write_text(SOURCE)
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "other.txt").write_text("x = 1")
    assert lines_of_code(tmp_path) == 3 + 2 + 2
