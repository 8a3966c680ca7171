import socket
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.retry import Retry

KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""A subscribed client notices a dead server within half a minute."""


def redis_client(url: str, *, timeout: float = 5.0, retries: int = 1, decode: bool = True) -> Redis:
    """Return a client that opens no connection yet and waits at most `timeout` seconds for a reply.

    It retries only after a lost connection. For example, a restart of Redis breaks pooled connections.
    """
    retry = Retry(NoBackoff(), retries, supported_errors=(ConnectionLost,))
    return Redis.from_url(url, **options(timeout, decode), retry=retry)


def async_redis_client(url: str, *, timeout: float) -> AsyncRedis:
    """Return a client for an event loop, which opens no connection yet and does not retry."""
    return AsyncRedis.from_url(url, **options(timeout, decode=True), retry=None)


def options(timeout: float, decode: bool) -> dict[str, Any]:
    return {
        "decode_responses": decode,
        "encoding_errors": "surrogateescape",  # Redis may hold keys and values of other programs.
        "protocol": 3,
        "socket_keepalive": True,
        "socket_keepalive_options": {
            getattr(socket, name): value for name, value in KEEPALIVE.items() if hasattr(socket, name)
        },
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
    }
