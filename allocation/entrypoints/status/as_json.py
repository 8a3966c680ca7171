"""The status as plain data for JSON."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from allocation.entrypoints.status.findings.finding import Finding
from allocation.entrypoints.status.status import Status


def status_as_json(status: Status, findings: list[Finding]) -> dict[str, Any]:
    """Return the members of the status, and `findings`: `[{"problem", "what_to_do", "runbook"}, …]`.

    A store that can't be reached is `{"reason"}`. A part that is unknown is None.
    """
    shown = [{"problem": one.problem, "what_to_do": one.what_to_do, "runbook": one.runbook.link} for one in findings]
    return {"findings": shown, **plain(status)}


def plain(value: Any) -> Any:
    """Return dataclasses and named tuples as dictionaries, other sequences as lists, and moments as text."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.value if isinstance(value, Enum) else value
