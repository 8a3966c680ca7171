"""Stores that really go away, and come back."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from allocation import bootstrap
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import migrate
from allocation.domain.commands import CreateBatch
from readmodel.store.client import redis_client
from tests.support import servers
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.processes import running
from tests.support.services import web


@dataclass
class Service:
    postgres: servers.Server
    redis: servers.Server
    api: Api


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with ExitStack() as stack:
        postgres = stack.enter_context(servers.running(servers.postgres_in(tmp_path / "postgres", durable=True)))
        redis = stack.enter_context(servers.running(servers.redis_in(tmp_path / "redis")))
        engine = create_postgres_engine(postgres.url)
        migrate(engine)
        engine.dispose()
        environment = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
        stack.enter_context(running("relay", environment))
        api = Api(stack.enter_context(web(environment)))
        stack.callback(api.connection.close)
        yield Service(postgres, redis, api)


def test_without_redis_commands_succeed_and_the_relay_brings_the_views_up_to_date(service: Service) -> None:
    # W32
    api = service.api
    api.add_batch("b1", "S", 10)
    service.redis.kill()
    assert api.allocate("o1", "S", 3).status == 202
    away = api.allocations("o1")
    assert (away.status, away.headers["retry-after"]) == (503, "1")
    assert api.allocate("o2", "S", 3).status == 202
    ready = api.get("health", "ready")
    assert ready.status == 200, "commands work, so the command process is ready"
    assert ready.json["roles"] == {"commands": "ready", "queries": "The read model can't be reached"}
    service.redis.start()
    assert eventually(lambda: found(api, "o1")) == [{"sku": "S", "batchref": "b1"}]
    assert eventually(lambda: found(api, "o2")) == [{"sku": "S", "batchref": "b1"}]
    assert api.allocate("o3", "S", 3).status == 202


def found(api: Api, orderid: str) -> object:
    answer = api.allocations(orderid)
    assert answer.status in {200, 503}, "nothing is said not to exist by a Redis that has lost everything"
    return answer.json if answer.status == 200 else None


def test_a_flushed_redis_is_rebuilt_without_being_asked(service: Service) -> None:
    api = service.api
    api.add_batch("b1", "S", 10)
    api.allocate("o1", "S", 3)
    with redis_client(service.redis.url) as redis:
        redis.flushall()
        redis.function_flush()
    assert eventually(lambda: found(api, "o1")) == [{"sku": "S", "batchref": "b1"}]
    assert api.get("products", "S").json["available"] == 7
    eventually(lambda: has_read_its_own_write(api))


def has_read_its_own_write(api: Api) -> bool:
    """The fast path works again, which rests for a second after a failure."""
    orderid = f"own-{id(object())}"
    api.allocate(orderid, "S", 1)
    return api.get("orders", orderid).status == 200


def test_without_postgresql_queries_are_answered_and_commands_are_not(service: Service) -> None:
    api = service.api
    api.add_batch("b1", "S", 10)
    api.allocate("o1", "S", 3)
    service.postgres.kill()
    refused = api.allocate("o2", "S", 3)
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert api.allocations("o1").status == 200
    assert api.get("orders", "o2").status == 404
    assert (api.get("health", "ready").status, api.get("health", "live").status) == (503, 200)
    service.postgres.start()
    assert api.allocate("o2", "S", 3).status == 202, "connections from before are replaced unnoticed"
    assert api.get("health", "ready").status == 200
    eventually(lambda: found_order(api, "o2"))


def found_order(api: Api, orderid: str) -> bool:
    return api.get("orders", orderid).status == 200


@pytest.mark.parametrize("events", [0, 50], ids=["shorter", "longer"])
def test_a_database_that_was_replaced_gets_views_of_its_own(service: Service, tmp_path: Path, events: int) -> None:
    """Its log may be shorter than the cursor, or longer: what Redis holds is of another one."""
    api = service.api
    api.add_batch("b1", "S", 10)
    api.allocate("o1", "S", 3)
    with servers.running(servers.postgres_in(tmp_path / "other")) as other:
        engine = create_postgres_engine(other.url)
        migrate(engine)
        bus = bootstrap.create_message_bus(engine, bootstrap.leave_to_relay)
        list(bus.handle_all(CreateBatch(f"other-{n}", "S", 10) for n in range(events)))
        engine.dispose()
        environment = {"DATABASE_URL": other.url, "REDIS_URL": service.redis.url}
        service.postgres.stop()
        with running("relay", environment):
            eventually(lambda: api.allocations("o1").status == 404)
            assert len(api.get("products", "S").json.get("batches", [])) == events
        service.postgres.start()
