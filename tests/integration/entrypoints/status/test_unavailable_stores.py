"""A store that does not answer, or that refuses to work, does not hide the other one."""

from pathlib import Path

from allocation.config import Settings
from allocation.entrypoints.status.runbooks import Runbook
from allocation.entrypoints.status.status import DatabaseStatus, Unreachable
from allocation.local.ports import free_port
from allocation.local.postgres import Postgres
from readmodel.store.status.views import RedisStatus
from tests.support.adapters.databases import execute
from tests.support.forwarder import forwarding
from tests.support.redis_failures.nodes import node
from tests.support.status.service import Service, at_port, port_of, relaying


def test_status_shows_redis_without_postgresql(service: Service, database_url: str) -> None:
    nowhere = service.settings.model_copy(update={"database_url": at_port(database_url, free_port())})
    status = Service(nowhere).look()
    assert isinstance(status.database, Unreachable)
    assert "refused" in status.database.reason
    assert isinstance(status.redis, RedisStatus)
    assert Service(nowhere).runbooks() == {Runbook.POSTGRES_UNREACHABLE}


def test_status_shows_postgresql_without_redis(service: Service) -> None:
    redis_url = at_port(service.settings.redis_url or "", free_port())
    nowhere = service.settings.model_copy(update={"redis_url": redis_url})
    status = Service(nowhere).look()
    assert isinstance(status.database, DatabaseStatus)
    assert isinstance(status.redis, Unreachable)
    assert "password" not in status.redis.reason
    assert Service(nowhere).runbooks() == {Runbook.REDIS_UNREACHABLE}


def test_status_waits_for_no_store_that_hangs(settings: Settings) -> None:
    database_url, redis_url = settings.database_url or "", settings.redis_url or ""
    with forwarding(port_of(database_url)) as postgres, forwarding(port_of(redis_url)) as redis:
        postgres.freeze()
        redis.freeze()
        urls = {"database_url": at_port(database_url, postgres.port), "redis_url": at_port(redis_url, redis.port)}
        hanging = settings.model_copy(update=urls)
        found = Service(hanging, within=1.5).findings()
    assert [one.runbook for one in found] == [Runbook.POSTGRES_UNREACHABLE, Runbook.REDIS_UNREACHABLE]


def test_status_notices_that_redis_is_full(database_url: str, tmp_path: Path) -> None:
    with node(tmp_path) as own:
        settings = Settings(database_url=database_url, redis_url=own.url)
        service = Service(settings)
        with relaying(settings):
            service.wait_until_sound()
            own.redis.config_set("maxmemory", 1)
            found = service.finding(Runbook.REDIS_FULL)
            assert "refuses writes" in found.problem
            own.redis.config_set("maxmemory", 0)
            service.wait_until_sound()
            own.redis.config_set("maxmemory", 100_000_000)
            own.redis.config_set("maxmemory-policy", "allkeys-lru")
            assert "may evict" in service.finding(Runbook.REDIS_FULL).problem


def test_status_works_without_a_schema(service: Service, postgres: Postgres) -> None:
    execute(postgres, "CREATE DATABASE without_a_schema")
    empty = service.settings.model_copy(update={"database_url": postgres.url_of("without_a_schema")})
    found = Service(empty).findings()
    assert [one.runbook for one in found] == [Runbook.COMMANDS_FAIL]
    assert found[0].what_to_do == "Run allocation migrate"
