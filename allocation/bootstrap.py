"""Builds every process from its settings. This module is the only composition root. It opens no connection.

Each function imports only the modules that its process needs. So a query worker loads no database driver, and the relay
loads no web framework. `components.py` builds what several processes share. `relay_threads.py` builds the background
threads of the relay.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from allocation.components import (
    create_access_log,
    create_engine,
    create_fast_path,
    create_log,
    create_message_bus,
    create_names,
    create_redis,
    create_reporter,
    create_shared_connection,
    create_sign_of_life,
    create_store,
    leave_to_relay,
    log_address,
    required,
    start_metrics,
)
from allocation.config import Settings, load_settings, log_form
from readmodel import logs

if TYPE_CHECKING:
    from allocation.entrypoints.consumer import Consumer
    from allocation.entrypoints.http.app import Threads
    from allocation.entrypoints.load import Loader
    from allocation.entrypoints.relay.relay import Relay
    from allocation.entrypoints.status.gather import Sources
    from allocation.entrypoints.verification import Scope, Verification
    from allocation.shutdown import Shutdown
    from readmodel.web.edge.edge import Edge

RELAY_CONNECTIONS = 13
STATUS_TIMEOUT = 1.0
"""Seconds that `allocation status` waits for a reply of Redis."""
LANE_CONNECTIONS = 13
"""One for each lane, and one for each of the four threads that wait for held locks."""


@logs.worker_bugs()
def create_web_app(settings: Settings | None = None) -> "Edge":
    """Build the edge of a web worker. It executes commands on PostgreSQL and answers queries from Redis."""
    from allocation.adapters.postgres.checks.readiness import reason_not_ready
    from allocation.entrypoints.http.access_tokens import read_access_tokens
    from allocation.entrypoints.http.app import create_edge
    from allocation.entrypoints.http.consistency import create_token
    from allocation.event_handlers import PROJECTION
    from allocation.metrics import BusMetrics, FastPathMetrics, count_trips, pool_figures
    from readmodel.metrics.web import WebMetrics
    from readmodel.web import queries
    from readmodel.web.edge.log_queue import LogQueue
    from readmodel.web.view_checks import check_views

    logs.configure("serve", log_form(), LogQueue)
    logs.pass_on_web_server()
    settings = settings or load_settings()
    threads = web_threads(settings)
    reporter = create_reporter(settings, "commands")
    metrics, registry = WebMetrics(reporter), reporter.registry
    engine = create_engine(settings, connections=settings.threads + LANE_CONNECTIONS, sent=count_trips(registry))
    reporter.add(partial(pool_figures, "commands", engine))
    fast_path = create_fast_path(settings, FastPathMetrics(registry))
    bus = create_message_bus(engine, fast_path, settings.commands_together, BusMetrics(registry))
    store = create_store(settings, timeout=queries.TIMEOUT)
    health = create_engine(settings, connections=1)
    ready = partial(reason_not_ready, health)
    views = partial(check_views, store, settings.suspect_is_ready, settings.views_too_old, writes=True)
    connection = create_shared_connection(settings, queries.TIMEOUT)
    token = partial(create_token, PROJECTION)
    tokens = read_access_tokens(settings)
    access_log, started = create_access_log(settings), partial(log_address, settings, "commands and queries")
    return create_edge(
        bus, store, connection, token, threads, ready, views, tokens, metrics, metrics.expose, access_log, started
    )


def web_threads(settings: Settings) -> "Threads":
    """Return how a worker divides its threads. The lanes of group commit have threads of their own."""
    from allocation.entrypoints.http.app import Threads

    bulks = max(1, settings.threads // 4)
    return Threads(commands=max(1, settings.threads - bulks), bulks=bulks, queries=2 * settings.threads)


@logs.worker_bugs()
def create_query_app(settings: Settings | None = None) -> "Edge":
    """Build the edge of a query worker. It answers queries from Redis and executes no commands."""
    from allocation.entrypoints.http.access_tokens import read_access_tokens
    from readmodel.metrics.web import WebMetrics
    from readmodel.web import queries
    from readmodel.web.edge.log_queue import LogQueue
    from readmodel.web.query_edge import create_query_edge
    from readmodel.web.view_checks import check_views

    logs.configure("queries", log_form(), LogQueue)
    logs.pass_on_web_server()
    settings = settings or load_settings()
    store = create_store(settings, timeout=queries.TIMEOUT)
    tokens = read_access_tokens(settings)
    views = partial(check_views, store, settings.suspect_is_ready, settings.views_too_old, writes=False)
    connection = create_shared_connection(settings, queries.TIMEOUT)
    metrics, threads = WebMetrics(create_reporter(settings, "queries")), 2 * settings.threads
    access_log, started = create_access_log(settings), partial(log_address, settings, "queries")
    return create_query_edge(store, connection, threads, views, tokens, metrics, metrics.expose, access_log, started)


def create_relay(settings: Settings, shutdown: "Shutdown") -> "Relay":
    """Build the relay with its background threads."""
    from allocation.entrypoints.relay.relay import Relay
    from allocation.event_handlers import PROJECTION
    from allocation.metrics import count_relayed, pool_figures
    from allocation.relay_threads import create_gauges, create_threads
    from readmodel.store.formats import newest

    engine = create_engine(settings, connections=RELAY_CONNECTIONS, direct=True)
    log, store = create_log(settings, engine), create_store(settings)
    threads = create_threads(settings, engine, log, store, shutdown)
    show_life = create_sign_of_life(settings, "relay")
    reporter = create_reporter(settings, "relay")
    reporter.add(partial(pool_figures, "relay", engine))
    if settings.relay_metrics_port is not None:
        gauges = create_gauges(engine, store, shutdown)
        threads.append(gauges)
        reporter.add(gauges.figures)
    start = start_metrics(settings, settings.relay_metrics_port, reporter, shutdown)
    target, applied = newest(settings.history), count_relayed(reporter.registry)
    return Relay(log, store, PROJECTION, shutdown, threads, show_life, target, applied, start)


def create_consumer(settings: Settings, shutdown: "Shutdown") -> "Consumer":
    from allocation.adapters.postgres.parked_messages import ParkedMessages
    from allocation.entrypoints.consumer import CHANNEL, Consumer
    from allocation.entrypoints.inbox import Inbox
    from allocation.metrics import BusMetrics, FastPathMetrics, count_trips, message_figures, pool_figures

    reporter = create_reporter(settings, "consumer")
    registry = reporter.registry
    engine = create_engine(settings, sent=count_trips(registry))
    fast_path = create_fast_path(settings, FastPathMetrics(registry))
    bus = create_message_bus(engine, fast_path, observer=BusMetrics(registry))
    # No retries: if the Redis client reconnected silently, the consumer could not log that messages are lost.
    redis = create_redis(settings, retries=0, decode=False)
    inbox = Inbox(redis, create_names(settings).channel(CHANNEL), shutdown)
    start = start_metrics(settings, settings.consumer_metrics_port, reporter, shutdown)
    show_life = create_sign_of_life(settings, "consumer")
    parked = ParkedMessages(engine, CHANNEL)
    consumer = Consumer(bus, parked, inbox, shutdown, show_life, start, log_each=settings.access_log)
    reporter.add(partial(pool_figures, "consumer", engine))
    reporter.add(lambda: message_figures(consumer.counts, inbox.waiting))
    return consumer


def create_loader(settings: Settings, report: Callable[[str], None], done: Callable[[], object]) -> "Loader":
    """Build a loader. The relay updates the views, because its pages cost less than an update after each commit."""
    from allocation.entrypoints.load import Loader

    return Loader(create_message_bus(create_engine(settings), leave_to_relay), report, done)


def create_verification(
    settings: Settings, scope: "Scope", compared: Callable[[int], object] = lambda _: None
) -> "Verification":
    """Build a verification of this scope. It calls `compared` with each number of rows that it has compared."""
    from allocation.adapters.postgres.checks.state import StateReader
    from allocation.entrypoints.verification import Verification
    from allocation.event_handlers import PROJECTION

    engine = create_engine(settings, direct=True)
    log, state = create_log(settings, engine), StateReader(engine)
    return Verification(create_store(settings), log, PROJECTION, state, scope, compared)


def create_status_sources(settings: Settings) -> "Sources":
    """Build the clients with which `allocation status` looks at both stores. They give up early."""
    from allocation.adapters.postgres.driver.engine import create_postgres_engine
    from allocation.entrypoints.consumer import CHANNEL
    from allocation.entrypoints.status.database import TIMEOUTS, Database
    from allocation.entrypoints.status.gather import Sources
    from allocation.event_handlers import subscribed_events
    from readmodel.store.status.views import read_status
    from readmodel.store.store import Store

    engine = create_postgres_engine(required(settings.database_url, "DATABASE_URL"), timeouts=TIMEOUTS)
    database = Database(engine, subscribed_events())
    names = create_names(settings)
    store = Store(create_redis(settings, timeout=STATUS_TIMEOUT, retries=0), names, settings.views_stale)
    channels = {"relay": names.committed, "consumer": names.channel(CHANNEL)}
    return Sources(database.read, database.lag_of_views, partial(read_status, store, channels, writes=True))
