"""The heartbeat of the relay: up to which moment the views show every commit. Each query reads it with its view.

It holds two or three words. The first is the replication id of the Redis server, and the second is the moment. If a
generation is suspect, its name is the third. A server has another replication id after each restart and promotion. Then
it may have lost the latest writes.
"""

from typing import NamedTuple

from readmodel.store.errors import ModelOutdated
from readmodel.store.registers import number_of

SUSPECT = "suspect"
MOST_AHEAD = 5_000
"""Milliseconds. A moment further in the future is damaged, or the clock was set back.

The clocks of a primary and of its replicas differ by less.
"""


class Heartbeat(NamedTuple):
    """`complete_at` is in milliseconds of the server's clock. 0 is an unknown moment."""

    replication_id: str = ""
    complete_at: int = 0
    suspect: str = ""

    @classmethod
    def parse(cls, stored: str | None) -> "Heartbeat | None":
        """Return None if the heartbeat is missing or damaged. The relay replaces it several times a second."""
        if stored is None or not stored.isascii():
            return None
        replication_id, _, rest = stored.partition(" ")
        moment, _, suspect = rest.partition(" ")
        complete_at = number_of(moment)
        return None if complete_at is None else cls(replication_id, complete_at, suspect)

    def __str__(self) -> str:
        return f"{self.replication_id} {self.complete_at} {self.suspect}".rstrip(" ")


def warning(heartbeat: Heartbeat | None, replication_id: str, live: str, now: int, stale: float) -> str | None:
    """Return the value of the header `Allocation-Views`, or None if the views are current.

    The reader has read the live generation from the server with this replication id, at the moment `now`. Views are old
    after `stale` seconds. Raise ModelOutdated if the relay has not caught up on this server.
    """
    found = heartbeat or Heartbeat(replication_id)
    if found.replication_id != replication_id:
        raise ModelOutdated
    if found.suspect == live:
        return SUSPECT
    complete_at = 0 if found.complete_at > now + MOST_AHEAD else found.complete_at
    seconds = (now - complete_at) / 1_000
    return f"behind; seconds={int(seconds)}" if seconds > stale else None
