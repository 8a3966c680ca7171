"""The status as text for one screen: first the state, then the findings, next to the prompt of the terminal."""

from collections.abc import Iterator
from textwrap import wrap

from allocation.entrypoints.status.findings.finding import Finding
from allocation.entrypoints.status.parts import (
    database_lines,
    log_lines,
    process_lines,
    redis_lines,
    role_lines,
    view_lines,
)
from allocation.entrypoints.status.status import Status
from readmodel.logs import visible

NARROWEST, WIDEST = 80, 120
LABEL, MOST_LINES = 18, 2


def screen(status: Status, findings: list[Finding], columns: int) -> str:
    """Return the text. Its lines have at most `columns` characters, but at least 80 and at most 120."""
    width = min(max(columns, NARROWEST), WIDEST)
    return "\n".join(lines(status, findings, width))


def lines(status: Status, findings: list[Finding], width: int) -> Iterator[str]:
    yield f"allocation {status.version}, {status.at:%Y-%m-%d %H:%M:%S} UTC"
    for part in (database_lines, redis_lines, log_lines, view_lines, role_lines, process_lines):
        for label, text in part(status):
            yield from wrapped(f"{label:<{LABEL}}", visible(text), width)
    yield ""
    if not findings:
        yield "Everything works."
    for finding in findings:
        text = visible(f"{finding.problem}. {finding.what_to_do}.")
        yield from wrap(text, width, initial_indent="! ", subsequent_indent="  ")
        yield f"  See {finding.runbook.link}"


def wrapped(label: str, text: str, width: int) -> list[str]:
    indent = " " * len(label)
    return wrap(text, width, initial_indent=label, subsequent_indent=indent, max_lines=MOST_LINES, placeholder=" …")
