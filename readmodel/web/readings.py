"""Completes the readings of a worker's queries on its event loop."""

import asyncio
import logging
from functools import partial
from typing import TypeVar

from redis.exceptions import RedisError

from readmodel.outage import Outage
from readmodel.store.errors import ModelDamaged
from readmodel.store.reads.reading import Act, Finished, Reading, Trip, step
from readmodel.store.reads.shared_connection import SharedConnection
from readmodel.web.edge.bulkheads import Bulkhead, Limit, Refused, ignore

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_READINGS = 500
"""Readings in progress."""
PARSED_AT_ONCE = 250
"""Fields and entries. A thread continues a reading whose replies have more: its JSON would delay other requests."""


class Readings:
    """`threads` continue the readings with large replies. `limit` limits the readings in progress."""

    def __init__(self, connection: SharedConnection, threads: Bulkhead, refused: Refused = ignore) -> None:
        self.limit = Limit("queries", MOST_READINGS, refused)
        self._connection = connection
        self._threads = threads
        self._outage = Outage(logger)

    async def complete(self, reading: Reading[T]) -> T:
        """Return the result of the reading. Raise its error, or a Problem if the worker is too busy."""
        async with self.limit:
            act: Act = partial(next, reading)
            is_large = False
            while True:
                wanted = await self._threads.run(step, act) if is_large else step(act)
                if isinstance(wanted, Finished):
                    result: T = wanted.result
                    return result
                if wanted.delay:
                    await asyncio.sleep(wanted.delay)
                try:
                    trip = await self._connection.exchange(wanted.commands)
                    act, is_large = partial(reading.send, trip), fields_in(trip) > PARSED_AT_ONCE
                    self._outage.over("Queries are answered")
                except (RedisError, ModelDamaged) as error:
                    act, is_large = partial(reading.throw, error), False
                    if isinstance(error, RedisError):
                        self._outage.failed("Queries get a 503", error)


def fields_in(trip: Trip) -> int:
    """Return the number of fields. Four entries of a list count as one: a page needs only some of them."""
    return sum(
        len(reply) if isinstance(reply, dict) else len(reply) // 4
        for reply in trip.replies
        if isinstance(reply, (dict, list))
    )
