"""The relays and the consumers that work, or seem to."""

from collections.abc import Mapping
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import ResponseError

from readmodel.store.names import Names
from readmodel.store.records.signs_of_life import HANGS_AFTER, latest_signs


@dataclass(frozen=True)
class RoleStatus:
    """The processes of one role.

    - `listening`: how many clients listen on its channel, or None if the user of Redis may not see that
    - `signs`: maps each process to the seconds since its latest sign of life
    """

    listening: int | None
    signs: Mapping[str, float]

    @property
    def working(self) -> int:
        """The number of processes that have shown a sign of life lately. One of them may have ended since."""
        return sum(seconds <= HANGS_AFTER for seconds in self.signs.values())

    @property
    def hanging(self) -> int:
        """The number of processes that listen and show no sign of life."""
        return max(0, (self.listening or 0) - self.working)


def read_role(redis: Redis, names: Names, role: str, channel: str) -> RoleStatus:
    """Raise RedisError if Redis is unavailable."""
    try:
        [(_, listening)] = redis.pubsub_numsub(channel)
    except ResponseError:
        listening = None
    try:
        signs = latest_signs(redis, names.alive(role))
    except ResponseError:
        signs = {}
    return RoleStatus(listening, signs)
