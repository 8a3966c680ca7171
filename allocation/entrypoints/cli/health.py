"""Whether a process that serves no HTTP is there: it is subscribed to its channel while it works."""

from redis import Redis

from allocation.entrypoints import consumer
from readmodel.store import keys

CHANNELS = {"relay": keys.COMMITTED, "consumer": consumer.CHANNEL}


def listeners(redis: Redis, process: str) -> int:
    """How many are subscribed now. Beside one that works, one that hangs is not noticed."""
    [(_, count)] = redis.pubsub_numsub(CHANNELS[process])
    return int(count)
