"""A process logs one line when a store becomes unavailable, and one when it is back."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import migrate
from tests.support import servers
from tests.support.api import Api
from tests.support.e2e.logs import JsonLog, logging_process, logging_web
from tests.support.eventually import eventually

UNAVAILABLE = re.compile("(Redis|The database) is unavailable")
AVAILABLE = re.compile(r"(Redis|The database) is available again after \d+ s")


def begins(log: JsonLog) -> list[str]:
    return [found[1] for message in log.messages() if (found := UNAVAILABLE.match(message))]


def ends(log: JsonLog) -> list[str]:
    return [found[1] for message in log.messages() if (found := AVAILABLE.match(message))]


@pytest.mark.slow
def test_each_outage_takes_two_lines_of_a_process(tmp_path: Path) -> None:
    """The relay has several threads that meet it, and the web worker commands, queries and checks."""
    with ExitStack() as stack:
        postgres = stack.enter_context(servers.running(servers.postgres_in(tmp_path / "postgres", durable=True)))
        redis = stack.enter_context(servers.running(servers.redis_in(tmp_path / "redis")))
        engine = create_postgres_engine(postgres.url)
        migrate(engine)
        engine.dispose()
        environment = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
        relay = stack.enter_context(logging_process("relay", environment, tmp_path / "relay.log"))
        consumer = stack.enter_context(logging_process("consumer", environment, tmp_path / "consumer.log"))
        port, web = stack.enter_context(logging_web(environment, tmp_path / "serve.log"))
        api = Api(port)
        stack.callback(api.connection.close)
        assert api.add_batch("b1", "S", 10).status == 201

        redis.kill()
        for orderid in ("o1", "o2"):
            assert api.allocate(orderid, "S", 1).status == 202
            assert api.get("orders", orderid).status == 503
        eventually(lambda: [begins(log) for log in (relay, consumer, web)] == [["Redis"]] * 3)
        redis.start()
        eventually(lambda: api.get("orders", "o2").status == 200)
        eventually(lambda: api.allocate("o3", "S", 1).status == 202 and ends(web) == ["Redis"])
        eventually(lambda: [ends(log) for log in (relay, consumer, web)] == [["Redis"]] * 3)

        postgres.kill()
        for orderid in ("o4", "o5"):
            assert api.allocate(orderid, "S", 1).status == 503
        eventually(lambda: [begins(log)[1:] for log in (relay, web)] == [["The database"]] * 2)
        postgres.start()
        eventually(lambda: api.allocate("o4", "S", 1).status == 202 and api.is_ready())
        eventually(lambda: [ends(log)[1:] for log in (relay, consumer, web)] == [["The database"]] * 3)
    for log in (relay, consumer, web):
        assert begins(log) == ends(log)
        assert set(begins(log)) <= {"Redis", "The database"}
    failed = [record for record in web.records() if "could not confirm a command" in record["message"]]
    assert len({record["correlation_id"] for record in failed}) == len(failed) >= 2
