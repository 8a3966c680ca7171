"""Servers, stores and buses for all tests."""

from collections.abc import Iterator

import pytest
from redis import Redis as RedisClient
from sqlalchemy import Engine

from allocation import components
from allocation.adapters.postgres.driver.engine import TIMEOUTS, create_postgres_engine
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.config import Settings
from allocation.event_handlers import PROJECTION
from allocation.local.postgres import Postgres
from allocation.local.redis import Redis
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.rebuild import rebuild
from readmodel.store.client import redis_client
from readmodel.store.store import Store
from tests.support.adapters.databases import fresh_database, make_template
from tests.support.adapters.redis_users import create_users
from tests.support.patience import PATIENCE
from tests.support.servers import postgres_in, redis_in, running


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Yield the PostgreSQL server of this session, which holds a migrated template."""
    server = postgres_in(tmp_path_factory.mktemp("postgres"))
    with running(server):
        make_template(server)
        yield server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """Yield the Redis server of this session."""
    server = redis_in(tmp_path_factory.mktemp("redis"))
    with running(server):
        create_users(server.url)
        yield server


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """Yield the URL of a migrated, empty database that only this test uses."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture
def redis_url(redis_server: Redis) -> Iterator[str]:
    """Yield the URL of an empty Redis, and flush it after the test."""
    yield redis_server.url
    with RedisClient.from_url(redis_server.url) as redis:
        redis.flushdb()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Yield an engine like that of production. Only, a test may hold a transaction open for longer."""
    time_outs = TIMEOUTS | {"idle_in_transaction_session_timeout": f"{PATIENCE}s"}
    engine = create_postgres_engine(database_url, connections=40, timeouts=time_outs)
    yield engine
    engine.dispose()


@pytest.fixture
def log(engine: Engine) -> EventLog:
    return EventLog(engine)


@pytest.fixture
def redis(redis_url: str) -> Iterator[RedisClient]:
    redis = redis_client(redis_url)
    yield redis
    redis.close()


@pytest.fixture
def store(redis: RedisClient) -> Store:
    """Return a store with the Redis Functions installed, but without views."""
    store = Store(redis)
    store.install(PROJECTION.cached_members)
    return store


@pytest.fixture
def model(store: Store, log: EventLog) -> Store:
    """Return a store whose live generation shows the whole log."""
    rebuild(store, log, PROJECTION)
    return store


@pytest.fixture
def bus(engine: Engine) -> MessageBus:
    """Return a bus that handles commands and leaves the views to the relay."""
    return components.create_message_bus(engine, components.leave_to_relay, commands_together=100)


@pytest.fixture
def projecting_bus(engine: Engine, model: Store, redis_url: str) -> MessageBus:
    """Return a bus that handles commands and then updates the views, as a web worker does."""
    return components.create_message_bus(
        engine, components.create_fast_path(Settings(redis_url=redis_url)), commands_together=100
    )
