"""Announces allocated lines on a Redis channel, once the views show them."""

from collections.abc import Sequence

import orjson
from redis import Redis

from allocation.adapters.postgres.event_log import EventLog
from allocation.service_layer.unit_of_work import Message
from readmodel.store.store import Store

CHANNEL = "line_allocated"
TYPES = ("Allocated",)


class LineAllocated:
    def __init__(self, redis: Redis, log: EventLog) -> None:
        self._redis = redis
        self._store = Store(redis)
        self._log = log

    def shown(self) -> int:
        """The position up to which the views show every event: who is told, and asks, finds it there."""
        live = self._store.generations().live
        cursor = self._store.cursor(live, self._log.identity()) if live else None
        if cursor is None or self._store.generations().live != live:
            return 0  # Nothing for now: at a switch, what the former one shows need not be in the new one.
        return cursor

    def announce(self, events: Sequence[Message]) -> None:
        """Publish {"orderid", "sku", "qty", "batchref"} for each. Raises RedisError."""
        pipeline = self._redis.pipeline(transaction=False)
        for event in events:
            pipeline.publish(CHANNEL, message(event))
        pipeline.execute()


def message(event: Message) -> bytes:
    line = event["line"]
    return orjson.dumps(
        {"orderid": line["orderid"], "sku": event["sku"], "qty": line["qty"], "batchref": line["batchref"]}
    )
