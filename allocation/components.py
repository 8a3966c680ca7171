"""Builds the components that several processes share, for `bootstrap.py`. It opens no connection.

Each function imports only the modules that its component needs.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from allocation.config import EXAMPLES, BadSettings, Settings

if TYPE_CHECKING:
    from redis import Redis
    from sqlalchemy import Engine

    from allocation.adapters.postgres.log.event_log import EventLog
    from allocation.service_layer.messagebus import MessageBus, Publish
    from allocation.service_layer.observer import Observer
    from allocation.shutdown import Shutdown
    from readmodel.metrics.reporter import Reporter
    from readmodel.projector.fast_path import Observer as FastPathObserver
    from readmodel.store.names import Names
    from readmodel.store.reads.shared_connection import SharedConnection
    from readmodel.store.store import Store
    from readmodel.web.edge.access_log import AccessLog

logger = logging.getLogger(__name__)


def create_access_log(settings: Settings) -> "AccessLog | None":
    from readmodel.web.edge.access_log import AccessLog

    return AccessLog() if settings.access_log else None


def log_address(settings: Settings, served: str) -> None:
    """Log that a web worker serves requests. `served` is what they ask for."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    logger.info("A web worker listens on http://%s:%s for %s", host, settings.port, served)


def create_sign_of_life(settings: Settings, process: str) -> Callable[[], None]:
    from readmodel.store.records.signs_of_life import SignOfLife

    return SignOfLife(create_redis(settings, timeout=1.0, retries=0), create_names(settings).alive(process)).show


def create_reporter(settings: Settings, role: str) -> "Reporter":
    from readmodel.metrics.reporter import Reporter

    return Reporter(role, create_redis(settings, timeout=1.0, retries=0), create_names(settings))


def start_metrics(
    settings: Settings, port: int | None, reporter: "Reporter", shutdown: "Shutdown"
) -> Callable[[], None]:
    """Return the function that starts the report of a process without a web server, and its port of metrics, if any."""
    start_report = partial(reporter.start, shutdown.wait)
    if port is None:
        return start_report
    from allocation.entrypoints.http.access_tokens import read_access_tokens
    from readmodel.metrics.server import MetricsServer

    server = MetricsServer(settings.host, port, reporter.expose, read_access_tokens(settings))

    def start() -> None:
        server.start()
        start_report()

    return start


def create_message_bus(
    engine: "Engine", publish: "Publish", commands_together: int = 1, observer: "Observer | None" = None
) -> "MessageBus":
    from allocation.adapters.postgres.migrations.revision import SchemaGate
    from allocation.adapters.postgres.unit_of_work import unit_of_work
    from allocation.service_layer.messagebus import MessageBus
    from allocation.service_layer.observer import UNOBSERVED

    begin = partial(unit_of_work, engine, SchemaGate(engine))
    return MessageBus(begin, publish, commands_together, observer or UNOBSERVED)


def leave_to_relay(_: object) -> None:
    """Publish nothing: the relay reads the events from the log."""


def create_fast_path(settings: Settings, observer: "FastPathObserver | None" = None) -> "Publish":
    from allocation.event_handlers import PROJECTION
    from readmodel.projector import fast_path

    store = create_store(settings, timeout=fast_path.TIMEOUT)
    return fast_path.FastPath(store, PROJECTION, observer=observer or fast_path.UNOBSERVED)


def create_engine(
    settings: Settings, *, connections: int = 5, direct: bool = False, sent: Callable[[], None] = lambda: None
) -> "Engine":
    """Build an engine. A `direct` engine must not use a pooler: its locks and settings outlive transactions.

    It calls `sent` for each trip of a command's transaction.
    """
    from allocation.adapters.postgres.driver.engine import create_postgres_engine

    url = required(settings.database_url, "DATABASE_URL")
    return create_postgres_engine(url, connections=connections, direct=direct, sent=sent)


def create_log(settings: Settings, engine: "Engine") -> "EventLog":
    from allocation.adapters.postgres.log.event_log import EventLog

    return EventLog(engine, synchronous=settings.synchronous_replication)


def create_redis(settings: Settings, *, timeout: float = 5.0, retries: int = 1, decode: bool = True) -> "Redis":
    from readmodel.store.client import redis_client

    url = required(settings.redis_url, "REDIS_URL")
    return redis_client(url, timeout=timeout, retries=retries, decode=decode)


def create_shared_connection(settings: Settings, timeout: float) -> "SharedConnection":
    from readmodel.store.client import async_redis_client
    from readmodel.store.reads.shared_connection import SharedConnection

    client = async_redis_client(required(settings.redis_url, "REDIS_URL"), timeout=timeout)
    return SharedConnection(client, create_names(settings), timeout)


def create_names(settings: Settings) -> "Names":
    from readmodel.store.names import Names

    return Names(settings.redis_prefix)


def create_store(settings: Settings, *, timeout: float = 5.0) -> "Store":
    from readmodel.store.store import Store

    redis, names = create_redis(settings, timeout=timeout), create_names(settings)
    return Store(redis, names, settings.views_stale, settings.read_patience)


def required(url: str | None, name: str) -> str:
    if url is None:
        raise BadSettings(f"{name} must be set, for example: export {name}={EXAMPLES[name]}")
    return url
