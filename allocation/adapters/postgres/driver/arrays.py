"""Arrays, as the statements take their rows: in the text that PostgreSQL itself writes.

The driver would send a list as an expression of as many constants, and to parse that would take longer than to do what
the statement says.
"""

from collections.abc import Iterable, Sequence


def arrays(columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> dict[str, str]:
    """The rows as one array per column."""
    return dict(zip(columns, map(array, zip(*rows, strict=True)), strict=True))


def array(elements: Iterable[object]) -> str:
    return "{" + ",".join(map(element, elements)) + "}"


def element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
