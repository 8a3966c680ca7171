"""PostgreSQL and Redis servers that are killed, flushed or replaced while the service runs."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from allocation import components
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
    relay: "subprocess.Popen[str]"
    api: Api


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Yield a service with servers of its own."""
    with ExitStack() as stack:
        postgres = stack.enter_context(servers.running(servers.postgres_in(tmp_path / "postgres", durable=True)))
        redis = stack.enter_context(servers.running(servers.redis_in(tmp_path / "redis")))
        engine = create_postgres_engine(postgres.url)
        migrate(engine)
        engine.dispose()
        environment = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
        relay = stack.enter_context(running("relay", environment))
        api = Api(stack.enter_context(web(environment)))
        stack.callback(api.connection.close)
        yield Service(postgres, redis, relay, api)


def shown_allocations(api: Api, orderid: str) -> object:
    """Return the allocations, or None while the views are unavailable. A 404 would deny an order that exists."""
    answer = api.allocations(orderid)
    assert answer.status in {200, 503}, "a Redis without data must not deny an order"
    return answer.json if answer.status == 200 else None


def test_commands_succeed_while_redis_is_unavailable(service: Service) -> None:
    """The relay updates the views when Redis is back."""
    api = service.api
    api.add_batch("b1", "S", 10)
    service.redis.kill()
    assert api.allocate("o1", "S", 3).status == 202
    refused = api.allocations("o1")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert api.allocate("o2", "S", 3).status == 202
    ready = api.get("health", "ready")
    assert ready.status == 200, "the role of this process is commands, and they work"
    assert ready.json["roles"] == {"commands": "ready", "queries": "The read model is unreachable"}
    service.redis.start()
    assert eventually(lambda: shown_allocations(api, "o1")) == [{"sku": "S", "batchref": "b1"}]
    assert eventually(lambda: shown_allocations(api, "o2")) == [{"sku": "S", "batchref": "b1"}]
    assert api.allocate("o3", "S", 3).status == 202


@pytest.mark.slow
def test_the_relay_rebuilds_the_views_after_a_redis_flush(service: Service) -> None:
    api, numbers = service.api, count()
    api.add_batch("b1", "S", 10)
    api.allocate("o1", "S", 3)
    with redis_client(service.redis.url) as redis:
        redis.flushall()
        redis.function_flush()
    assert eventually(lambda: shown_allocations(api, "o1")) == [{"sku": "S", "batchref": "b1"}]
    assert api.get("products", "S").json["available"] == 7

    def command_has_an_immediate_effect() -> bool:
        """The fast path works again. It pauses for a second after a failure."""
        orderid = f"own-{next(numbers)}"
        api.allocate(orderid, "S", 1)
        return api.get("orders", orderid).status == 200

    eventually(command_has_an_immediate_effect)


@pytest.mark.slow
def test_queries_work_while_postgresql_is_unavailable(service: Service) -> None:
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
    assert api.allocate("o2", "S", 3).status == 202, "the worker did not replace its broken connections"
    assert api.get("health", "ready").status == 200
    eventually(lambda: api.get("orders", "o2").status == 200)


@pytest.mark.slow
@pytest.mark.parametrize("events", [pytest.param(0, id="shorter log"), pytest.param(50, id="longer log")])
def test_the_relay_rebuilds_the_views_of_a_replaced_database(service: Service, tmp_path: Path, events: int) -> None:
    """The cursor in Redis belongs to another log, even if the new log is longer."""
    api = service.api
    api.add_batch("b1", "S", 10)
    api.allocate("o1", "S", 3)
    with servers.running(servers.postgres_in(tmp_path / "other")) as other:
        engine = create_postgres_engine(other.url)
        migrate(engine)
        bus = components.create_message_bus(engine, components.leave_to_relay)
        list(bus.handle_all(CreateBatch(f"other-{n}", "S", 10) for n in range(events)))
        engine.dispose()
        environment = {"DATABASE_URL": other.url, "REDIS_URL": service.redis.url}
        service.postgres.stop()
        service.relay.terminate()  # While it runs, the relay of the other database refuses to start.
        service.relay.wait()
        with running("relay", environment):
            eventually(lambda: api.allocations("o1").status == 404)
            assert len(api.get("products", "S").json.get("batches", [])) == events
        service.postgres.start()
