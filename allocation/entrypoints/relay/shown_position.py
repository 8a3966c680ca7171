"""Announces allocated lines on a Redis channel, after the views show them."""

from collections.abc import Sequence

import orjson
from redis import Redis

from allocation.service_layer.unit_of_work import LoggedEvent
from readmodel.projector.follow import Log
from readmodel.store.store import Store

CHANNEL = "line_allocated"


def announce_lines(events: Sequence[LoggedEvent], redis: Redis) -> None:
    """Publish {"orderid", "sku", "qty", "batchref"} for each event. Raises RedisError."""
    pipeline = redis.pipeline(transaction=False)
    for event in events:
        pipeline.publish(CHANNEL, announcement(event))
    pipeline.execute()


def announcement(event: LoggedEvent) -> bytes:
    line = event["line"]
    return orjson.dumps(
        {"orderid": line["orderid"], "sku": event["sku"], "qty": line["qty"], "batchref": line["batchref"]}
    )


def shown_position(store: Store, log: Log) -> int:
    """Return the log position up to which the views show every event.

    A program that gets an announcement and then sends a query must find the line there.
    """
    live = store.generations().live
    cursor = store.cursor(live, log.identity()) if live else None
    if cursor is None or store.generations().live != live:
        return 0  # After a switch, the new generation may not show yet what the former one showed.
    return cursor
