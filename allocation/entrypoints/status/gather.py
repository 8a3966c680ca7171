"""Reads both stores at the same time, and waits for neither longer than a few seconds."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from threading import Thread
from typing import TypeVar

from redis.exceptions import RedisError

from allocation.adapters.postgres.checks.lags import Lag
from allocation.entrypoints.status.status import DatabaseStatus, Status, Unreachable
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from readmodel.store.status.views import RedisStatus

T = TypeVar("T")

ANSWER_WITHIN = 5.0


@dataclass(frozen=True)
class Sources:
    """`lag_of_views` gets the position that the views have reached, and the fence."""

    database: Callable[[], DatabaseStatus]
    lag_of_views: Callable[[int, int], Lag]
    redis: Callable[[], RedisStatus]


def gather(sources: Sources, version: str, now: Callable[[], datetime], within: float = ANSWER_WITHIN) -> Status:
    """Return the status. A store that does not answer within so many seconds is unreachable.

    A thread that waits for such a store goes on. It does not keep the process alive.
    """
    at, deadline = now(), time.monotonic() + within
    database, redis = in_thread(sources.database), in_thread(sources.redis)
    found_database, found_redis = found_by(database, deadline, within), found_by(redis, deadline, within)
    views = None
    if isinstance(found_database, DatabaseStatus) and isinstance(found_redis, RedisStatus):
        place = place_of_views(found_database, found_redis)
        if place is not None:
            counted = found_by(in_thread(lambda: sources.lag_of_views(*place)), deadline, within)
            views = None if isinstance(counted, Unreachable) else counted
    return Status(version, at, found_database, found_redis, views)


def place_of_views(database: DatabaseStatus, redis: RedisStatus) -> tuple[int, int] | None:
    """Return the position that the live views have reached, and the fence.

    Return None if one of them is unknown, or if the views show another history than the log.
    """
    live, log = redis.live, database.log
    if live is None or live.position is None or log is None or live.identities != (log.identity,):
        return None
    return live.position, log.fence


def in_thread(read: Callable[[], T]) -> "Future[T]":
    result = Future[T]()

    def run() -> None:
        try:
            result.set_result(read())
        except BaseException as error:
            result.set_exception(error)

    Thread(target=run, daemon=True).start()
    return result


def found_by(result: "Future[T]", deadline: float, within: float) -> T | Unreachable:
    """Wait for the result until the deadline. An error that is a bug passes through."""
    try:
        return result.result(max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        return Unreachable(f"it has not answered within {within:.0f} s")
    except (RedisError, RetryableError, StoreUnavailable) as error:
        return Unreachable(" ".join(str(error).split()))
