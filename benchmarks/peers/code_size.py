"""Counts lines of code."""

import ast
import io
import tokenize
from pathlib import Path

LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def lines_of_code(folder: Path) -> int:
    """Count the lines of all Python files in the folder, without blank lines, comments and docstrings."""
    return sum(count(file.read_text()) for file in folder.rglob("*.py"))


def count(source: str) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {
        number for token in tokens if token.type not in LAYOUT for number in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - docstring_lines(source))


def docstring_lines(source: str) -> set[int]:
    """Return the numbers of the lines with strings that are statements. These document modules and their parts."""
    return {
        number
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
