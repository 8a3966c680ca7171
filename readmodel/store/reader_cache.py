"""The cache of a reader process. It lets a query over several views take one round trip to Redis.

A writer that changes a cached value sets a new token, after the views show the new value. Readers read the token
together with a view. While the token is unchanged, the cached values are current.

Writers detect a change in two ways, since a process can die between the views and the token:
- A view marks a register with `invalidates_cache`. So a second process that applies the same event sets the token,
  although the event changes nothing more in Redis.
- The Redis Function compares the cached member before and after. So a later event that carries the new value sets the
  token, even if no process ever applies the event that changed it.
"""

from typing import Any, NamedTuple

MOST_CACHED = 20_000
"""Values. The cache is emptied when it has more, so one query can exceed this."""

Cached = dict[str, Any]
"""Maps names, which the caller chooses, to values."""


class Entry(NamedTuple):
    """Values that a reader read from a generation after the token. So they are never older than the token."""

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
