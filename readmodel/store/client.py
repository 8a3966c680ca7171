import socket

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.retry import Retry

KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Who only listens notices within half a minute that nobody is there any more."""


def client(url: str, *, timeout: float = 5.0, retries: int = 1, decode: bool = True) -> Redis:
    """A client that opens no connection yet. Waits at most `timeout` seconds for an answer.

    It is tried again only where the connection was lost, as a kept one is when Redis was restarted.
    """
    return Redis.from_url(
        url,
        decode_responses=decode,
        protocol=3,
        socket_keepalive=True,
        socket_keepalive_options={
            getattr(socket, name): value for name, value in KEEPALIVE.items() if hasattr(socket, name)
        },
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), retries, supported_errors=(NoConnection,)),
    )
