"""Counts what reads cost: round trips, commands, and the entries that Redis returns."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from redis import Redis

from readmodel.store.connection import PackedCommands, RedisCommand, ThreadConnection
from readmodel.store.reads.reading import Reading, Trip
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.store import Store


class Counting(ThreadConnection):
    """`trips` is the number of round trips so far."""

    trips = 0

    def send_packed(self, commands: PackedCommands) -> list[Any]:
        self.trips += 1
        return super().send_packed(commands)


class Cost(NamedTuple):
    """What a reading has cost, without the commands that every reading needs.

    `ranges` is the number of ranges of lists that the Redis server has counted.
    """

    trips: int
    commands: int
    ranges: int
    entries: int


class CountedStore(Store):
    """A store that counts its trips, the commands of its readings, and the entries in their replies."""

    trips = commands = entries = 0

    def exchange(self, commands: Sequence[RedisCommand]) -> Trip:
        trip = super().exchange(commands)
        self.trips += 1
        self.commands += len(commands)
        self.entries += sum(len(reply) for reply in trip.replies if isinstance(reply, list))
        return trip


def cost_of(redis: Redis, fetch: Callable[[Snapshot], Reading[Any]]) -> tuple[Any, Cost]:
    """Return the result of the query, and its cost for a store that knows the live generation."""
    store = CountedStore(redis)
    store.read(lambda snapshot: snapshot.hashes())
    store.trips = store.commands = store.entries = 0
    ranges = ranges_at(redis)
    found = store.read(fetch).value
    return found, Cost(store.trips, store.commands, ranges_at(redis) - ranges, store.entries)


def ranges_at(redis: Redis) -> int:
    """Return how often the server has executed ZRANGE."""
    return int(redis.info("commandstats").get("cmdstat_zrange", {"calls": 0})["calls"])
