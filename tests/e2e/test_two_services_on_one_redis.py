"""Two services, each with a database of its own, use one Redis server: under one set of names, or under two."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.entrypoints.cli.exits import Exit
from allocation.entrypoints.relay.relay import Relay
from allocation.event_handlers import PROJECTION
from allocation.local.ports import free_port
from allocation.local.postgres import Postgres
from allocation.local.redis import Redis as RedisServer
from allocation.shutdown import Shutdown
from readmodel.store.names import PLAIN, Names
from readmodel.store.records.presence import RedisShared
from readmodel.store.store import Store
from tests.support.adapters.databases import fresh_database
from tests.support.api import Api
from tests.support.e2e.database import scalar
from tests.support.e2e.listener import Listener
from tests.support.eventually import eventually
from tests.support.processes import run_to_end, running
from tests.support.services import web

REFUSAL = (
    "Error: Another service, with another database, uses this Redis server. "
    "Set ALLOCATION_REDIS_PREFIX to a prefix that only this service uses\n"
)

Environment = dict[str, str]


@pytest.fixture
def other_database(postgres: Postgres) -> Iterator[str]:
    with fresh_database(postgres) as url:
        engine = create_postgres_engine(url)
        with engine.begin() as connection:
            connection.execute(text("UPDATE log SET identity = gen_random_uuid()"))  # It was copied from a template.
        engine.dispose()
        yield url


@pytest.fixture
def second(other_database: str, redis_url: str) -> Environment:
    """Return the environment of a second service on the same Redis, with the same names."""
    return {"DATABASE_URL": other_database, "REDIS_URL": redis_url}


@pytest.fixture
def second_engine(other_database: str) -> Iterator[Engine]:
    engine = create_postgres_engine(other_database)
    yield engine
    engine.dispose()


def in_database_1(environment: Environment, redis_server: RedisServer) -> Environment:
    return environment | {"REDIS_URL": redis_server.url.removesuffix("0") + "1"}


@pytest.mark.slow
def test_a_second_service_refuses_to_start(api: Api, second: Environment, redis: Redis) -> None:
    api.add_batch("b1", "S", 10)
    before = redis.get(PLAIN.generations)
    for command in ("serve", "relay", "consumer", "rebuild", "adopt", "verify", "repair"):
        assert run_to_end(command, second) == (Exit.NOT_RUN, REFUSAL), command
    assert redis.get(PLAIN.generations) == before, "the second service has replaced the views of the first service"
    assert api.get("products", "S").json["available"] == 10


@pytest.mark.slow
def test_another_database_of_the_server_makes_no_difference(
    relay: None, second: Environment, redis_server: RedisServer, redis: Redis, engine: Engine
) -> None:
    """Channels belong to the whole server. Without the refusal, both consumers would execute each message."""
    eventually(lambda: redis.pubsub_channels(PLAIN.presence(EventLog(engine).database())))
    for command in ("relay", "consumer"):
        assert run_to_end(command, in_database_1(second, redis_server)) == (Exit.NOT_RUN, REFUSAL), command


@pytest.mark.slow
def test_a_whole_second_service_refuses_with_one_sentence(
    relay: None, second: Environment, redis: Redis, engine: Engine, tmp_path: Path
) -> None:
    eventually(lambda: redis.pubsub_channels(PLAIN.presence(EventLog(engine).database())))
    code, output = run_to_end("run", second | {"ALLOCATION_DATA": str(tmp_path), "ALLOCATION_PORT": str(free_port())})
    assert (code, output.splitlines(keepends=True)[-1]) == (Exit.NOT_RUN, REFUSAL)
    assert output.count("Another service") == 1


@pytest.mark.slow
def test_a_relay_ends_when_it_meets_another_log(
    environment: Environment, second: Environment, model: Store, log: EventLog, second_engine: Engine
) -> None:
    """Its own relay was down when the second service started. It must not replace the views in its turn."""
    with running("relay", second):
        eventually(lambda: shows(model, EventLog(second_engine)))
        before = model.generations()
        with pytest.raises(RedisShared):
            Relay(log, model, PROJECTION, Shutdown(), []).run()
        assert run_to_end("relay", environment) == (Exit.NOT_RUN, REFUSAL)
        assert model.generations() == before


def shows(model: Store, log: EventLog) -> bool:
    """Return whether the live generation was built from this log, and nothing else is under way."""
    live, other = model.generations()
    return live is not None and other is None and model.cursor(live, log.identity()) is not None


@pytest.mark.slow
def test_two_services_with_prefixes_share_a_redis(
    api: Api, environment: Environment, second: Environment, redis: Redis, engine: Engine, second_engine: Engine
) -> None:
    """Each service has its own views, messages and announcements. A rebuild and a flush affect only their service."""
    prefix = "g1"  # The live generation of the first service has the same name.
    second = second | {"ALLOCATION_REDIS_PREFIX": prefix}
    channel = Names(prefix).channel("change_batch_quantity")
    with running("relay", second), running("consumer", second), web(second) as port, Listener(redis) as listener:
        eventually(lambda: redis.pubsub_numsub(channel)[0][1])
        other = Api(port)
        for client, qty in ((api, 10), (other, 500)):
            assert client.add_batch("b1", "S", qty).status == 201
            assert client.allocate("o1", "S", qty // 10).status == 202
        assert (api.get("products", "S").json["available"], other.get("products", "S").json["available"]) == (9, 450)
        eventually(lambda: listener.announcements)
        assert run_to_end("rebuild", second)[0] == 0
        assert run_to_end("repair", environment) == (0, "Corrected differences: 0\n")
        assert api.get("products", "S").json["available"] == 9
        redis.publish(channel, json.dumps({"batchref": "b1", "qty": 400}))
        eventually(lambda: scalar(second_engine, "SELECT purchased FROM batches") == 400)
        assert scalar(engine, "SELECT purchased FROM batches") == 10
        assert [announcement["qty"] for announcement in listener.announcements] == [1]
        other.connection.close()


@pytest.mark.slow
def test_check_counts_only_the_processes_of_its_prefix(relay: None, environment: Environment) -> None:
    eventually(lambda: run_to_end("check relay", environment)[0] == 0)
    assert run_to_end("check relay", environment | {"ALLOCATION_REDIS_PREFIX": "second"})[0] == 1
