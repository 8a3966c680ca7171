"""What a load generator sends, and what it reports."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Traffic:
    """Requests of one kind, and the status of success.

    In the path and the body, each request replaces `<id>` by a new id, `<random>` by a number below `many`.
    """

    method: str
    path: str
    body: str = ""
    success: int = 200
    many: int = 1


class Figures(NamedTuple):
    """Successful answers a second, two percentiles in milliseconds, and the number of failed or missing answers.

    `right` is the number of successful answers.
    """

    rate: float
    p50: float
    p99: float
    wrong: int = 0
    right: int = 0


class WrongAnswers(Exception):
    """The measurement is void: requests failed, or the load generator could not send them as planned."""
