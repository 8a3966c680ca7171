"""What a process of readers remembers: the ETAs of batches, so that an order with its ETAs is one trip to Redis.

Who changes an ETA sets another token, after the views have it and before the command is answered. A reader takes the
token along with the order: as long as it is the same, so are the ETAs.
"""

from typing import NamedTuple

MOST = 20_000

Etas = dict[str, str | None]


class Known(NamedTuple):
    """What was read of a generation after the token was: never older than it."""

    generation: str
    token: str
    etas: Etas


class Remembered:
    """Any number of threads may share one: what is known is replaced as a whole, or added to."""

    def __init__(self) -> None:
        self._known = Known("", "", {})

    def etas(self, generation: str, token: str | None) -> Etas:
        """By reference; what the reader finds besides is to be added. Of no use beyond the trip of that token."""
        if token is None:
            return {}
        known = self._known
        if (known.generation, known.token) != (generation, token) or len(known.etas) > MOST:
            known = self._known = Known(generation, token, {})
        return known.etas
