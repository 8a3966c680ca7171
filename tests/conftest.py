from collections.abc import Iterator

import pytest
from redis import Redis as RedisClient
from sqlalchemy import Engine

from allocation import bootstrap
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.event_log import EventLog
from allocation.config import Settings
from allocation.event_handlers import PROJECTION
from allocation.local.postgres import Postgres
from allocation.local.redis import Redis
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.rebuild import rebuild
from readmodel.store.client import redis_client
from readmodel.store.store import Store
from tests.support.databases import fresh_database, make_template
from tests.support.servers import postgres_in, redis_in, running


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = postgres_in(tmp_path_factory.mktemp("postgres"))
    with running(server):
        make_template(server)
        yield server


@pytest.fixture(scope="session")
def redis_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = redis_in(tmp_path_factory.mktemp("redis"))
    with running(server):
        yield server


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """A migrated database of the test's own."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture
def redis_url(redis_of_the_session: Redis) -> Iterator[str]:
    """An empty Redis."""
    yield redis_of_the_session.url
    with RedisClient.from_url(redis_of_the_session.url) as redis:
        redis.flushdb()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_postgres_engine(database_url, connections=40)
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
    """A Redis without a model."""
    store = Store(redis)
    store.install(PROJECTION.cached_members)
    return store


@pytest.fixture
def model(store: Store, log: EventLog) -> Store:
    """A read model of the log as it is, live."""
    rebuild(store, log, PROJECTION)
    return store


@pytest.fixture
def bus(engine: Engine) -> MessageBus:
    """Handles commands and leaves the views to others."""
    return bootstrap.create_message_bus(engine, bootstrap.leave_to_relay, most_together=100)


@pytest.fixture
def projecting_bus(engine: Engine, model: Store, redis_url: str) -> MessageBus:
    """Handles commands and updates the views, as a web worker does."""
    return bootstrap.create_message_bus(
        engine, bootstrap.create_fast_path(Settings(redis_url=redis_url)), most_together=100
    )
