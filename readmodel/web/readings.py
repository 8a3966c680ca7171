"""Completes the readings of a worker's queries on its event loop."""

import asyncio
from functools import partial
from typing import TypeVar

from redis.exceptions import RedisError

from readmodel.store.errors import ModelDamaged
from readmodel.store.reads.reading import Act, Reading, Trip, complete
from readmodel.store.reads.shared_connection import SharedConnection
from readmodel.store.store import Store
from readmodel.web.edge.bulkheads import Bulkhead, Limit

T = TypeVar("T")

MOST_READINGS = 500
"""Readings in progress. Each waits for Redis at most as long as the connection's time-out."""
PARSED_AT_ONCE = 100
"""Fields. The event loop parses so many. More would delay other requests, so a thread completes the reading."""


class Readings:
    """`threads` complete the readings with large replies, on connections of `store`."""

    def __init__(self, connection: SharedConnection, store: Store, threads: Bulkhead) -> None:
        self._connection = connection
        self._store = store
        self._threads = threads
        self._limit = Limit("queries", MOST_READINGS)

    async def complete(self, reading: Reading[T]) -> T:
        """Return the result of the reading. Raise its error, or a Problem if the worker is too busy."""
        async with self._limit:
            act: Act = partial(next, reading)
            try:
                while True:
                    wanted = act()
                    if wanted.delay:
                        await asyncio.sleep(wanted.delay)
                    try:
                        trip = await self._connection.exchange(wanted.commands)
                    except (RedisError, ModelDamaged) as error:
                        act = partial(reading.throw, error)
                        continue
                    if fields_in(trip) > PARSED_AT_ONCE:
                        return await self._threads.run(complete, reading, self._store.exchange, trip)
                    act = partial(reading.send, trip)
            except StopIteration as end:
                result: T = end.value
                return result


def fields_in(trip: Trip) -> int:
    return sum(len(reply) for reply in trip.replies if isinstance(reply, dict))
