"""What a process of readers caches, so that a query with data of several views takes one trip to Redis.

A writer that changes a cached value sets a new token, after the views show the change and before its command returns.
A reader reads the token together with the view. While the token is the same, so are the cached values.
"""

from typing import Any, NamedTuple

MOST = 20_000

Cached = dict[str, Any]
"""Maps names of the caller's choice to values."""


class Entry(NamedTuple):
    """Values that were read from a generation after the token was: they are never older than the token."""

    generation: str
    token: str
    values: Cached


class ReaderCache:
    """Any number of threads may share it: they replace its entry as a whole, or add to it."""

    def __init__(self) -> None:
        self._entry = Entry("", "", {})

    def values(self, generation: str, token: str | None) -> Cached:
        """Return the cached values for this token. The reader adds what it reads; later trips must not use them."""
        if token is None:
            return {}
        entry = self._entry
        if (entry.generation, entry.token) != (generation, token) or len(entry.values) > MOST:
            entry = self._entry = Entry(generation, token, {})
        return entry.values
