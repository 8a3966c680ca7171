"""The consumer of the Redis channel `change_batch_quantity`, in a process of its own."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine, text

from allocation import components
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import migrate
from allocation.domain.commands import CreateBatch
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.client import redis_client
from tests.support.adapters.waits import waiting
from tests.support.api import Api
from tests.support.e2e.database import scalar
from tests.support.e2e.listener import Listener
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.processes import running
from tests.support.servers import postgres_in, redis_in
from tests.support.servers import running as serving

CHANNEL = "change_batch_quantity"

BAD_MESSAGES = [
    b"",
    b"{",
    b"\xff\xfe\x00",
    b"[]",
    b"null",
    b'"text"',
    b"{}",
    b'{"batchref": "b1"}',
    b'{"qty": 5}',
    b'{"batchref": "never", "qty": 5}',
    b'{"batchref": "b1", "qty": -1}',
    b'{"batchref": "b1", "qty": "5"}',
    b'{"batchref": "b1", "qty": 1.5}',
    b'{"batchref": "b1", "qty": 99999999999999999999}',
    b'{"batchref": null, "qty": 5}',
    b'{"batchref": "", "qty": 5}',
    b'{"batchref": "a\\u0000b", "qty": 5}',
    b'{"batchref": "\\ud800", "qty": 5}',
    b"[" * 100_000,
    b'{"batchref": "' + b"x" * 2_000_000 + b'", "qty": 5}',
]


@pytest.fixture
def consumer_log(tmp_path: Path) -> Path:
    return tmp_path / "consumer.log"


@pytest.fixture
def consumer(environment: dict[str, str], redis: Redis, consumer_log: Path) -> Iterator["subprocess.Popen[str]"]:
    with consumer_log.open("w") as file, running("consumer", environment, stderr=file) as process:
        eventually(lambda: listening(redis))
        yield process


def listening(redis: Redis) -> bool:
    return bool(redis.pubsub_numsub(CHANNEL)[0][1])


def publish(redis: Redis, ref: str, qty: int) -> None:
    redis.publish(CHANNEL, json.dumps({"batchref": ref, "qty": qty}))


def quantity(engine: Engine, ref: str) -> int:
    return scalar(engine, "SELECT purchased FROM batches WHERE ref = :ref", ref=ref)


def test_a_message_that_shrinks_a_batch_moves_its_line(api: Api, redis: Redis, consumer: Any) -> None:
    """When the new allocation is announced, the view shows it already."""
    api.add_batch("earlier", "S", 10, "2027-01-15")
    api.add_batch("later", "S", 10, "2027-03-01")
    api.allocate("o1", "S", 10)
    assert api.allocations("o1").json == [{"sku": "S", "batchref": "earlier"}]
    seen: list[Any] = []
    other = Api(api.connection.port)
    with Listener(redis, lambda line: seen.append(other.allocations(line["orderid"]).json)) as listener:
        publish(redis, "earlier", 5)
        eventually(lambda: ("o1", "later") in listener.batches())
    announcement = {"orderid": "o1", "sku": "S", "qty": 10, "batchref": "later"}
    assert listener.announcements[-1].items() >= announcement.items()
    assert seen[-1] == [{"sku": "S", "batchref": "later"}]
    other.connection.close()


def test_a_bad_message_does_not_end_the_consumer(
    projecting_bus: MessageBus, redis: Redis, consumer: "subprocess.Popen[str]", consumer_log: Path, engine: Engine
) -> None:
    """The consumer logs each bad message with the reason."""
    projecting_bus.handle(CreateBatch("b1", "S", 10))
    for message in BAD_MESSAGES:
        assert redis.publish(CHANNEL, message) == 1, "the consumer has unsubscribed"
    publish(redis, "b1", 7)
    eventually(lambda: quantity(engine, "b1") == 7)
    log = consumer_log.read_text()
    for number in range(1, len(BAD_MESSAGES) + 1):
        assert f"Message {number} on {CHANNEL} was refused: " in log
    assert "There is no batch never" in log
    assert 'qty must be a whole number from 0 to 2147483647, not -1: b\'{"batchref": "b1", "qty": -1}\'' in log
    assert "Traceback" not in log
    assert "INFO" in log, "the log level is too high for lines of information"
    consumer.terminate()
    assert consumer.wait(PATIENCE) == 0
    assert f"Handled: 1. Refused: {len(BAD_MESSAGES)}. Failed: 0" in consumer_log.read_text()


@pytest.mark.slow
def test_the_consumer_subscribes_again_after_a_redis_restart(
    bus: MessageBus, database_url: str, engine: Engine, tmp_path: Path
) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    with serving(redis_in(tmp_path / "redis")) as server, redis_client(server.url) as redis:
        environment = {"DATABASE_URL": database_url, "REDIS_URL": server.url}
        with running("consumer", environment, stderr=subprocess.DEVNULL):
            eventually(lambda: listening(redis))
            server.kill()
            server.start()
            eventually(lambda: listening(redis))
            publish(redis, "b1", 7)
            eventually(lambda: quantity(engine, "b1") == 7)


@pytest.mark.slow
def test_a_message_waits_while_the_database_is_unavailable(redis_url: str, tmp_path: Path, consumer_log: Path) -> None:
    with serving(postgres_in(tmp_path / "postgres", durable=True)) as server:
        engine = create_postgres_engine(server.url)
        migrate(engine)
        components.create_message_bus(engine, components.leave_to_relay).handle(CreateBatch("b1", "S", 10))
        engine.dispose()
        environment = {"DATABASE_URL": server.url, "REDIS_URL": redis_url}
        with (
            consumer_log.open("w") as file,
            redis_client(redis_url) as redis,
            running("consumer", environment, stderr=file) as process,
        ):
            eventually(lambda: listening(redis))
            server.kill()
            publish(redis, "b1", 7)
            publish(redis, "b1", 6)
            eventually(lambda: "The consumer is interrupted" in consumer_log.read_text())
            server.start()
            eventually(lambda: quantity(engine, "b1") == 6)
            process.terminate()
            assert process.wait(PATIENCE) == 0
        engine.dispose()
    assert "Handled: 2. Refused: 0" in consumer_log.read_text()


def test_the_consumer_handles_earlier_messages_before_it_ends(
    bus: MessageBus, redis: Redis, consumer: "subprocess.Popen[str]", consumer_log: Path, engine: Engine
) -> None:
    """The consumer waits for the product's row when it gets the signal, so it has handled none of the messages."""
    bus.handle(CreateBatch("b1", "S", 10))
    with engine.connect() as holder:
        holder.execute(text("SELECT FROM products WHERE sku = 'S' FOR UPDATE"))
        for qty in range(100, 120):
            publish(redis, "b1", qty)
        eventually(lambda: waiting(engine, "FROM products"))
        consumer.terminate()
    assert consumer.wait(PATIENCE) == 0
    assert "Handled: 20. Refused: 0" in consumer_log.read_text()
    assert quantity(engine, "b1") == 119


def test_the_consumer_logs_a_lost_connection_and_reconnects(
    bus: MessageBus, redis: Redis, consumer: Any, consumer_log: Path, engine: Engine
) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    eventually(lambda: "Redis drops the messages until then" in consumer_log.read_text())
    eventually(lambda: listening(redis))
    publish(redis, "b1", 7)
    eventually(lambda: quantity(engine, "b1") == 7)
