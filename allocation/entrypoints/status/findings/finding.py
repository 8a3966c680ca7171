"""What is wrong with the service, and what to do."""

from collections.abc import Iterator
from dataclasses import dataclass

from allocation.entrypoints.status.runbooks import Runbook


@dataclass(frozen=True)
class Finding:
    """Two sentences without a full stop: what is wrong, and what to do. The runbook has more."""

    problem: str
    what_to_do: str
    runbook: Runbook


Findings = Iterator[Finding]
