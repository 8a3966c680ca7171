from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.retry import Retry


def client(url: str, *, timeout: float = 5.0, retries: int = 1) -> Redis:
    """A client that opens no connection yet. Waits at most `timeout` seconds for an answer.

    It is tried again only where the connection was lost, as a kept one is when Redis was restarted.
    """
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), retries, supported_errors=(NoConnection,)),
    )
