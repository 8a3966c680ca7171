"""Publishes allocated lines on a Redis channel."""

from collections.abc import Sequence

import orjson
from redis import Redis

from allocation.service_layer.unit_of_work import LoggedEvent

CHANNEL = "line_allocated"


def announce_lines(events: Sequence[LoggedEvent], redis: Redis, channel: str = CHANNEL) -> None:
    """Publish {"orderid", "sku", "qty", "batchref"} for each Allocated event, in order.

    If the event has a `correlation_id`, so has the message.

    If this function raises RedisError, Redis may have published only some of the messages.
    """
    pipeline = redis.pipeline(transaction=False)
    for event in events:
        pipeline.publish(channel, announcement(event))
    pipeline.execute()


def announcement(event: LoggedEvent) -> bytes:
    line = event["line"]
    message = {"orderid": line["orderid"], "sku": event["sku"], "qty": line["qty"], "batchref": line["batchref"]}
    if "correlation_id" in event:
        message["correlation_id"] = event["correlation_id"]
    return orjson.dumps(message)
