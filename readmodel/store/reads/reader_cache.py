"""The cache of a reader process. With it, a query over several views needs only one round trip to Redis.

If a writer changes a cached value, it replaces the token after the views show the new value. Readers read the token
together with a view. While the token is unchanged, the cached values are current.

A process can die after it has changed the views and before it replaces the token. So writers detect a change twice:
- A view marks a register with `invalidates_cache`. Every process that applies the event then replaces the token, even
  if another process has already changed the views.
- The Redis Function compares the old and the new value of the cached member. So any later event with the new value
  replaces the token, even if no process applied the first event.
"""

from typing import Any, NamedTuple

MOST_CACHED = 20_000
"""The number of values at which the next query starts an empty cache. One query can exceed this number."""

Cached = dict[str, Any]
"""Maps names, which the caller chooses, to values."""


class Entry(NamedTuple):
    """Values of a generation. Each reader read the token first, so the values are never older than the token."""

    generation: str
    token: str
    values: Cached


class ReaderCache:
    """Any number of threads may share it. They replace the entry as a whole, or add to its values."""

    def __init__(self) -> None:
        self._entry = Entry("", "", {})

    def values(self, generation: str, token: str | None) -> Cached:
        """Return the cached values for this token. The caller adds the values that it reads, and keeps no reference."""
        if token is None:
            return {}
        entry = self._entry
        if (entry.generation, entry.token) != (generation, token) or len(entry.values) > MOST_CACHED:
            entry = self._entry = Entry(generation, token, {})
        return entry.values
