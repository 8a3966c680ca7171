"""Formats arrays as text in PostgreSQL's own format. The statements receive their rows in this form.

The driver would send a list as an expression with one constant per element. PostgreSQL would then spend more time on
parsing the expression than on executing the statement.
"""

from collections.abc import Iterable, Sequence


def arrays(columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> dict[str, str]:
    """Map each column to the array of its values. `rows` must not be empty."""
    return dict(zip(columns, map(array, zip(*rows, strict=True)), strict=True))


def array(elements: Iterable[object]) -> str:
    return "{" + ",".join(map(element, elements)) + "}"


def element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
