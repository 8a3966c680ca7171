"""The metrics of the write side: what the message bus, the fast path and the driver report."""

from collections import Counter as Numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from allocation.adapters.schemas.commands import COMMANDS
from allocation.adapters.schemas.events import EVENT_NAMES
from allocation.domain.commands import Command
from allocation.domain.errors import Refusal
from allocation.domain.events import Event
from allocation.service_layer.idempotency import KeyReused, StillRunning
from allocation.service_layer.observer import Observer
from allocation.service_layer.outcomes import Done, Outcome
from allocation.service_layer.unit_of_work import Busy, RetryableError, StoreUnavailable
from readmodel.logs import harmless
from readmodel.metrics import table
from readmodel.metrics.registry import Registry
from readmodel.metrics.table import Figure
from readmodel.projector.fast_path import Observer as FastPathObserver

if TYPE_CHECKING:
    from sqlalchemy import Engine

COMMAND_NAMES = {schema.command: name for name, schema in COMMANDS.items()}
RESULTS: Sequence[tuple[tuple[type[object], ...], str]] = (
    ((Done,), "done"),
    ((Refusal, KeyReused), "refused"),
    ((Busy, StillRunning), "locked"),
    ((StoreUnavailable,), "unavailable"),
)
"""The first entry that has the type of an outcome names the result. Any other outcome is a bug, and has `failed`."""
FAST, RELAY = "fast", "relay"


class BusMetrics(Observer):
    """Counts commands. It adds up what a transaction has in common: an addition costs a few microseconds."""

    def __init__(self, registry: Registry) -> None:
        self._commands = registry.counter(table.COMMANDS)
        self._seconds = registry.histogram(table.TRANSACTION_SECONDS)
        self._sizes = registry.histogram(table.TRANSACTION_COMMANDS)
        self._events = registry.counter(table.EVENTS_APPENDED)
        self._retries = registry.counter(table.RETRIES)
        self._timeouts = registry.counter(table.LOCK_TIMEOUTS)

    @harmless
    def executed(self, command: type[Command], outcomes: Sequence[Outcome]) -> None:
        if len(outcomes) == 1:
            self._commands.add(1, COMMAND_NAMES[command], result_of(outcomes[0]))
            return
        for result, number in Numbers(map(result_of, outcomes)).items():
            self._commands.add(number, COMMAND_NAMES[command], result)

    @harmless
    def committed(self, commands: int, seconds: float, events: Sequence[Event]) -> None:
        self._seconds.observe(seconds)
        self._sizes.observe(commands)
        for event_type, number in Numbers(map(type, events)).items():
            self._events.add(number, EVENT_NAMES[event_type])

    @harmless
    def retried(self, error: RetryableError) -> None:
        self._retries.add(1, error.reason)

    @harmless
    def timed_out(self, error: Busy | StillRunning) -> None:
        self._timeouts.add(1, "idempotency key" if isinstance(error, StillRunning) else "product")


class FastPathMetrics(FastPathObserver):
    def __init__(self, registry: Registry) -> None:
        self._applied = registry.counter(table.EVENTS_APPLIED)
        self._failures = registry.counter(table.FAST_PATH_FAILURES)

    @harmless
    def applied(self, events: int) -> None:
        self._applied.add(events, FAST)

    @harmless
    def failed(self, reason: str) -> None:
        self._failures.add(1, reason)


def count_trips(registry: Registry) -> Callable[[], None]:
    """Return the function that a transaction calls for each trip to PostgreSQL."""
    trips = registry.counter(table.DATABASE_TRIPS)
    return harmless(lambda: trips.add(1))


def count_relayed(registry: Registry) -> Callable[[int], None]:
    """Return the function that the relay calls with the number of events that it has applied."""
    applied = registry.counter(table.EVENTS_APPLIED)
    return harmless(lambda events: applied.add(events, RELAY))


def pool_figures(name: str, engine: "Engine") -> Iterator[Figure]:
    """Yield the use and the size of the engine's pool."""
    from sqlalchemy import QueuePool

    pool = engine.pool
    if isinstance(pool, QueuePool):
        yield Figure(table.CONNECTIONS_IN_USE, pool.checkedout(), (name,))
        yield Figure(table.CONNECTIONS, pool.size(), (name,))


def message_figures(counts: Mapping[str, int], waiting: int) -> Iterator[Figure]:
    """Yield the numbers of messages of a consumer."""
    for result in ("handled", "refused", "parked", "failed"):
        yield Figure(table.MESSAGES, counts.get(result, 0), (result,))
    yield Figure(table.MESSAGES_WAITING, waiting)


def result_of(outcome: Outcome) -> str:
    return next((name for types, name in RESULTS if isinstance(outcome, types)), "failed")
