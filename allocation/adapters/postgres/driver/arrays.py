"""Arrays in PostgreSQL's own text format, in which the statements take their rows.

The driver would send a list as an expression with a constant for each element. To parse that takes PostgreSQL longer
than to execute the statement.
"""

from collections.abc import Iterable, Sequence


def arrays(columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> dict[str, str]:
    """Return one array per column."""
    return dict(zip(columns, map(array, zip(*rows, strict=True)), strict=True))


def array(elements: Iterable[object]) -> str:
    return "{" + ",".join(map(element, elements)) + "}"


def element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
