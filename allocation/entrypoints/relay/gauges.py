"""Measures the state of the service: lags, drift, dead letters and the stores. Each relay shows it to Prometheus."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine

from allocation.adapters.postgres import dead_letters
from allocation.adapters.postgres.checks.lags import Lag, lag, subscription_lags
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.log.fence import holders, last_position_and_fence
from allocation.adapters.postgres.subscriptions import subscription_states
from allocation.entrypoints.relay.background import BackgroundThread
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from allocation.shutdown import Shutdown
from readmodel.metrics import table
from readmodel.metrics.table import Figure
from readmodel.store.errors import ModelAbsent
from readmodel.store.records.drift import corrected_registers
from readmodel.store.store import Store

EVERY = 5.0
OUTDATED_AFTER = 30.0
"""Seconds. A store that hangs must not let old figures look like new ones."""
LONGEST_FENCE = 1.0
POSTGRES, REDIS = "postgres", "redis"
UNAVAILABLE = (RedisError, ModelAbsent, StoreUnavailable, RetryableError)


class Measured(NamedTuple):
    """The figures of a store, and when they were measured. Without figures, the store was unavailable."""

    figures: Sequence[Figure] = ()
    at: float = 0.0


class StoreGauges(BackgroundThread):
    """Measures one store. If the store hangs, only this thread waits for it."""

    def __init__(
        self, store: str, figures_now: Callable[[], Iterator[Figure]], shutdown: Shutdown, clock: Callable[[], float]
    ) -> None:
        super().__init__(f"gauges of {store}", shutdown)
        self._store = store
        self._figures_now = figures_now
        self._clock = clock
        self._latest = Measured()

    def work(self) -> None:
        while not self.shutdown.requested:
            self.measure()
            self.shutdown.wait(EVERY)

    def measure(self) -> None:
        """Measure the store now. Replace its figures at once."""
        try:
            self._latest = Measured(list(self._figures_now()), self._clock())
        except UNAVAILABLE:  # The relay itself logs that.
            self._latest = Measured()

    def figures(self) -> Iterator[Figure]:
        """Yield the latest figures. Any thread may call this method."""
        latest = self._latest
        is_up = bool(latest.figures) and self._clock() - latest.at < OUTDATED_AFTER
        yield Figure(table.STORE_UP, float(is_up), (self._store,))
        yield from latest.figures if is_up else ()


class Gauges(BackgroundThread):
    """Measures each store in a thread of its own. This thread watches them.

    `types_of` maps each subscription to its event types. `channel` is that of the consumers.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        types_of: Mapping[str, Sequence[str]],
        channel: str,
        shutdown: Shutdown,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("gauges", shutdown)
        self._engine = engine
        self._store = store
        self._types_of = types_of
        self._channel = channel
        self._stores = (
            StoreGauges(POSTGRES, self._log_figures, shutdown, clock),
            StoreGauges(REDIS, self._redis_figures, shutdown, clock),
        )

    def work(self) -> None:
        """Measure until the shutdown. If the thread of a store fails, raise its error."""
        for store in self._stores:
            store.start()
        while not self.shutdown.requested:
            for store in self._stores:
                if store.failure is not None:
                    raise store.failure
            self.shutdown.wait(EVERY)
        for store in self._stores:
            store.join()

    def measure(self) -> None:
        """Measure everything now, in the calling thread."""
        for store in self._stores:
            store.measure()

    def figures(self) -> Iterator[Figure]:
        """Yield the latest figures. Any thread may call this method."""
        for store in self._stores:
            yield from store.figures()

    def _log_figures(self) -> Iterator[Figure]:
        autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with translated_errors(), autocommit.connect() as connection:
            for name, found in subscription_lags(connection, self._types_of).items():
                if found is not None:
                    yield Figure(table.SUBSCRIPTION_LAG_EVENTS, found.events, (name,))
                    yield Figure(table.SUBSCRIPTION_LAG_SECONDS, found.seconds, (name,))
            for state in subscription_states(connection):
                yield Figure(table.SUBSCRIPTION_FAILING, float(state.failing_since is not None), (state.name,))
            yield from dead_letter_figures(connection)
            behind = self._views_lag(connection)
            if behind is not None:
                yield Figure(table.VIEWS_LAG_EVENTS, behind.events)
                yield Figure(table.VIEWS_LAG_SECONDS, behind.seconds)
        held = max((holder.seconds for holder in holders(self._engine, LONGEST_FENCE)), default=0.0)
        yield Figure(table.FENCE_HELD, held)

    def _views_lag(self, connection: Connection) -> Lag | None:
        """Return None if the views do not exist, or if Redis is unavailable."""
        _, fence = last_position_and_fence(connection)
        try:
            live = self._store.generations().live
            progress = self._store.progress(live) if live else None
        except (RedisError, ModelAbsent):
            return None
        return None if progress is None else lag(connection, progress.cursor, fence)

    def _redis_figures(self) -> Iterator[Figure]:
        redis = self._store.redis
        yield Figure(table.CORRECTED_REGISTERS, corrected_registers(redis, self._store.names))
        [(_, consumers)] = redis.pubsub_numsub(self._channel)
        yield Figure(table.CONSUMERS, consumers)
        yield from memory_figures(redis)


def dead_letter_figures(connection: Connection) -> Iterator[Figure]:
    """Yield the number of letters in each state, or 0 if there is none: then an alert knows that they are counted."""
    found = dead_letters.counts(connection)
    if not found:
        yield Figure(table.DEAD_LETTERS, 0.0, ("", "dead"))
    for name, numbers in found.items():
        for state, number in zip(("dead", "waiting", "retry"), numbers, strict=True):
            yield Figure(table.DEAD_LETTERS, number, (name, state))


def memory_figures(redis: Redis) -> Iterator[Figure]:
    """Yield what Redis reports about its memory."""
    memory = cast("dict[str, object]", redis.info("memory"))
    stats = cast("dict[str, object]", redis.info("stats"))
    yield Figure(table.REDIS_MEMORY, float(str(memory.get("used_memory", 0))))
    yield Figure(table.REDIS_MEMORY_LIMIT, float(str(memory.get("maxmemory", 0))))
    yield Figure(table.REDIS_EVICTED_KEYS, float(str(stats.get("evicted_keys", 0))))
