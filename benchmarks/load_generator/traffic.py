"""What a load generator is asked to send, and what it has to tell."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Traffic:
    """Requests of one kind. `<id>` in the path or the body is new each time, `<random>` is a number below `many`."""

    method: str
    path: str
    body: str = ""
    success: int = 200
    many: int = 1


class Figures(NamedTuple):
    """Right answers a second; milliseconds; and how many answers were wrong or did not come."""

    rate: float
    p50: float
    p99: float
    wrong: int = 0


class WrongAnswers(Exception):
    """What was measured is not what was meant to be."""
