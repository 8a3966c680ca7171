"""The metrics of all processes. docs/reference.md has the same table, and the alerts and the dashboard use these names.

A label has few values. So no label has a SKU, an order id or another text of a client.
"""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """`bounds` are the upper bounds of a histogram's buckets. A process shows its `reported` metrics in its report."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    bounds: tuple[float, ...] = ()
    reported: bool = False


class Figure(NamedTuple):
    """A value of a metric that somebody measures now. `labels` are the values of its labels, in order."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


COUNTER, GAUGE, HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
GROUP_SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0)

# Requests: web workers.
REQUESTS = Metric("allocation_requests_total", COUNTER, ("route", "status"), "answered requests")
REQUEST_SECONDS = Metric(
    "allocation_request_seconds", HISTOGRAM, ("route",), "time from the request's head to its answer", SECONDS
)
REFUSED_REQUESTS = Metric(
    "allocation_refused_requests_total", COUNTER, ("kind",), "requests that found no free thread in time", reported=True
)
BULK_LINES = Metric("allocation_bulk_lines_total", COUNTER, ("status",), "results of lines of bulks")
THREADS_IN_USE = Metric(
    "allocation_threads_in_use", GAUGE, ("kind",), "requests that are in a bulkhead now", reported=True
)
THREADS = Metric("allocation_threads", GAUGE, ("kind",), "the most requests that a bulkhead admits", reported=True)

# Commands: web workers and consumers.
COMMANDS = Metric("allocation_commands_total", COUNTER, ("command", "result"), "executed commands", reported=True)
TRANSACTION_SECONDS = Metric(
    "allocation_transaction_seconds", HISTOGRAM, (), "time of a committed transaction, without its views", SECONDS
)
TRANSACTION_COMMANDS = Metric(
    "allocation_transaction_commands", HISTOGRAM, (), "commands that share a transaction", GROUP_SIZES
)
DATABASE_TRIPS = Metric("allocation_database_trips_total", COUNTER, (), "strings that transactions sent to PostgreSQL")
RETRIES = Metric("allocation_retries_total", COUNTER, ("reason",), "repeated transactions", reported=True)
LOCK_TIMEOUTS = Metric(
    "allocation_lock_timeouts_total", COUNTER, ("lock",), "waits for a lock that were too long", reported=True
)
EVENTS_APPENDED = Metric("allocation_events_appended_total", COUNTER, ("type",), "events appended to the log")
FAST_PATH_FAILURES = Metric(
    "allocation_fast_path_failures_total",
    COUNTER,
    ("reason",),
    "commits whose process did not update the views",
    reported=True,
)
CONNECTIONS_IN_USE = Metric(
    "allocation_database_connections_in_use", GAUGE, ("pool",), "connections to PostgreSQL in use", reported=True
)
CONNECTIONS = Metric(
    "allocation_database_connections", GAUGE, ("pool",), "the most connections to PostgreSQL", reported=True
)

# Web workers, commands and relays.
EVENTS_APPLIED = Metric(
    "allocation_events_applied_total",
    COUNTER,
    ("path",),
    "events applied to the views, by the fast path or a relay",
    reported=True,
)

# Health: measured by the web worker that answers.
READY = Metric("allocation_ready", GAUGE, ("role",), "1 if the role can work, else 0")
VIEWS_BEHIND = Metric(
    "allocation_views_behind_seconds", GAUGE, (), "the seconds of the header Allocation-Views, or 0 without it"
)
VIEWS_SUSPECT = Metric("allocation_views_suspect", GAUGE, (), "1 if the views are suspect, else 0")
RELAY_SILENT = Metric(
    "allocation_relay_silent", GAUGE, (), "1 if no relay has shown a sign of life for half a minute, else 0"
)

# The state of the service: measured by each relay.
STORE_UP = Metric("allocation_store_up", GAUGE, ("store",), "1 if the relay can use the store, else 0")
VIEWS_LAG_EVENTS = Metric("allocation_views_lag_events", GAUGE, (), "events that the relay has not applied")
VIEWS_LAG_SECONDS = Metric("allocation_views_lag_seconds", GAUGE, (), "age of the oldest of these events")
SUBSCRIPTION_LAG_EVENTS = Metric(
    "allocation_subscription_lag_events", GAUGE, ("subscription",), "events that the subscription has not handled"
)
SUBSCRIPTION_LAG_SECONDS = Metric(
    "allocation_subscription_lag_seconds", GAUGE, ("subscription",), "age of the oldest of these events"
)
SUBSCRIPTION_FAILING = Metric(
    "allocation_subscription_failing", GAUGE, ("subscription",), "1 if its handler fails, else 0"
)
DEAD_LETTERS = Metric(
    "allocation_dead_letters", GAUGE, ("subscription", "state"), "events and messages that a handler could not handle"
)
CORRECTED_REGISTERS = Metric(
    "allocation_corrected_registers", GAUGE, (), "drift: registers that relays have corrected since the last flush"
)
FENCE_HELD = Metric(
    "allocation_fence_held_seconds", GAUGE, (), "age of the oldest transaction that holds the fence, or 0"
)
CONSUMERS = Metric("allocation_consumers", GAUGE, (), "consumers that listen to change_batch_quantity")
REDIS_MEMORY = Metric("allocation_redis_memory_bytes", GAUGE, (), "memory that Redis uses")
REDIS_MEMORY_LIMIT = Metric("allocation_redis_memory_limit_bytes", GAUGE, (), "maxmemory of Redis, or 0 without it")
REDIS_EVICTED_KEYS = Metric("allocation_redis_evicted_keys", GAUGE, (), "keys that Redis has evicted since its start")

# Consumers.
MESSAGES = Metric("allocation_messages_total", COUNTER, ("result",), "messages of change_batch_quantity", reported=True)
MESSAGES_WAITING = Metric("allocation_messages_waiting", GAUGE, (), "messages in the consumer's memory", reported=True)

# Every process.
BUILD_INFO = Metric("allocation_build_info", GAUGE, ("role", "version"), "always 1")

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
