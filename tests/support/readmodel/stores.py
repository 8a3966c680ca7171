"""Stores whose trips to Redis a test can observe or disturb."""

from redis import Redis

from readmodel.store.connection import ThreadConnection
from readmodel.store.store import Store


class ConnectedStore(Store):
    """A store that sends its commands over the given connection."""

    def __init__(self, redis: Redis, connection: ThreadConnection) -> None:
        super().__init__(redis)
        self._connection = connection
