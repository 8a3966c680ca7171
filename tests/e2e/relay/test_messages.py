"""What comes in and goes out by message: the consumer, the announcements, the mail. Real processes, really killed."""

import json
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine, text

from allocation import bootstrap
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import migrate
from allocation.domain.commands import Allocate, ChangeBatchQuantity, Command, CreateBatch
from allocation.local.ports import free_port
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from readmodel.store.client import redis_client
from readmodel.store.store import Store
from readmodel.views import orders
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.mailserver import mail_server
from tests.support.processes import allocation, running
from tests.support.servers import postgres_in, redis_in
from tests.support.servers import running as serving

IN, OUT = "change_batch_quantity", "line_allocated"
Announcement = dict[str, Any]


class Listener:
    """Hears what is announced from now on; `hear` is called with each announcement as it comes."""

    def __init__(self, redis: Redis, hear: Callable[[Announcement], None] = lambda _: None) -> None:
        self.heard: list[Announcement] = []
        self._messages = redis.pubsub(ignore_subscribe_messages=True)
        self._messages.subscribe(OUT)
        self._hear = hear
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        eventually(lambda: redis.pubsub_numsub(OUT)[0][1])

    def _listen(self) -> None:
        while not self._done.is_set():
            message = self._messages.get_message(timeout=0.05)
            if message is not None:
                self.heard.append(json.loads(message["data"]))
                self._hear(self.heard[-1])

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._messages.close()

    def batches(self) -> list[tuple[str, str]]:
        return [(announcement["orderid"], announcement["batchref"]) for announcement in self.heard]


def listening(redis: Redis) -> bool:
    return bool(redis.pubsub_numsub(IN)[0][1])


@pytest.fixture
def consumer_log(tmp_path: Path) -> Path:
    return tmp_path / "consumer.log"


@pytest.fixture
def consumer(environment: dict[str, str], redis: Redis, consumer_log: Path) -> Iterator["subprocess.Popen[str]"]:
    with consumer_log.open("w") as file, running("consumer", environment, stderr=file) as process:
        eventually(lambda: listening(redis))
        yield process


def test_a_batch_that_shrinks_elsewhere_moves_the_order(api: Api, redis: Redis, consumer: Any) -> None:
    # W20, W21, W25
    api.add_batch("earlier", "S", 10, "2027-01-15")
    api.add_batch("later", "S", 10, "2027-03-01")
    api.allocate("o1", "S", 10)
    assert api.allocations("o1").json == [{"sku": "S", "batchref": "earlier"}]
    seen: list[Any] = []
    other = Api(api.connection.port)
    with Listener(redis, lambda heard: seen.append(other.allocations(heard["orderid"]).json)) as out:
        redis.publish(IN, json.dumps({"batchref": "earlier", "qty": 5}))
        eventually(lambda: ("o1", "later") in out.batches(), within=3)
    assert out.heard[-1] == {"orderid": "o1", "sku": "S", "qty": 10, "batchref": "later"}
    assert seen[-1] == [{"sku": "S", "batchref": "later"}], "the view shows it by then"
    other.connection.close()


BROKEN = [
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


def test_after_every_kind_of_broken_message_the_consumer_still_works(
    projecting_bus: MessageBus, redis: Redis, consumer: "subprocess.Popen[str]", consumer_log: Path, engine: Engine
) -> None:
    # W20
    projecting_bus.handle(CreateBatch("b1", "S", 10))
    for message in BROKEN:
        assert redis.publish(IN, message) == 1, "nobody listens any more"
    redis.publish(IN, '{"batchref": "b1", "qty": 7}')
    eventually(lambda: quantity(engine, "b1") == 7)
    said = consumer_log.read_text()
    for number in range(1, len(BROKEN) + 1):
        assert f"Message {number} on {IN} was refused: " in said
    assert "There is no batch never" in said
    assert 'qty must be a whole number from 0 to 2147483647, not -1: b\'{"batchref": "b1", "qty": -1}\'' in said
    assert "Traceback" not in said
    assert "INFO" in said, "W36: lines of information are shown"
    consumer.terminate()
    assert consumer.wait(10) == 0
    assert f"Handled: 1. Refused: {len(BROKEN)}" in consumer_log.read_text()


def quantity(engine: Engine, ref: str) -> int:
    with engine.connect() as connection:
        return int(
            connection.execute(text("SELECT purchased FROM batches WHERE ref = :ref"), {"ref": ref}).scalar_one()
        )


def test_the_consumer_subscribes_again_by_itself(
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
            redis.publish(IN, '{"batchref": "b1", "qty": 7}')
            eventually(lambda: quantity(engine, "b1") == 7)


def test_a_message_waits_for_a_database_that_is_away(redis_url: str, tmp_path: Path, consumer_log: Path) -> None:
    with serving(postgres_in(tmp_path / "postgres", durable=True)) as server:
        engine = create_postgres_engine(server.url)
        migrate(engine)
        bootstrap.create_message_bus(engine, bootstrap.leave_to_relay).handle(CreateBatch("b1", "S", 10))
        engine.dispose()
        environment = {"DATABASE_URL": server.url, "REDIS_URL": redis_url}
        with (
            consumer_log.open("w") as file,
            redis_client(redis_url) as redis,
            running("consumer", environment, stderr=file) as process,
        ):
            eventually(lambda: listening(redis))
            server.kill()
            redis.publish(IN, '{"batchref": "b1", "qty": 7}')
            redis.publish(IN, '{"batchref": "b1", "qty": 6}')
            eventually(lambda: "tries ChangeBatchQuantity" in consumer_log.read_text())
            server.start()
            eventually(lambda: quantity(engine, "b1") == 6)
            process.terminate()
            assert process.wait(10) == 0
        engine.dispose()
    assert "Handled: 2. Refused: 0" in consumer_log.read_text()


def test_what_came_before_the_consumer_was_to_end_is_taken(
    bus: MessageBus, redis: Redis, consumer: "subprocess.Popen[str]", consumer_log: Path, engine: Engine
) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    for qty in range(100, 200):
        redis.publish(IN, json.dumps({"batchref": "b1", "qty": qty}))
    consumer.terminate()
    assert consumer.wait(10) == 0
    assert "Handled: 100. Refused: 0" in consumer_log.read_text()
    assert quantity(engine, "b1") == 199


def test_a_connection_that_was_cut_is_told_of_and_made_anew(
    bus: MessageBus, redis: Redis, consumer: Any, consumer_log: Path, engine: Engine
) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    eventually(lambda: "Messages until then are lost" in consumer_log.read_text())
    eventually(lambda: listening(redis))
    redis.publish(IN, '{"batchref": "b1", "qty": 7}')
    eventually(lambda: quantity(engine, "b1") == 7)


def test_who_is_told_finds_it_in_the_views(
    bus: MessageBus, model: Store, redis: Redis, environment: dict[str, str]
) -> None:
    """The relay alone updates the views here, so that only its order of work can make this true."""
    # W21
    missing: list[Announcement] = []

    def look(heard: Announcement) -> None:
        shown = model.read(lambda snapshot: orders.allocations(snapshot, heard["orderid"]))
        if shown != [{"sku": heard["sku"], "batchref": heard["batchref"]}]:
            missing.append(heard)

    lines: list[Command] = [Allocate(f"o{n}", "S", 1) for n in range(3_000)]
    with Listener(redis, look) as listener, running("relay", environment):
        bus.handle(CreateBatch("b1", "S", 3_000))
        assert set(bus.handle_all(lines)) == {Done()}
        eventually(lambda: len(listener.heard) >= 3_000)
    assert missing == []
    assert [announcement["orderid"] for announcement in listener.heard] == [f"o{n}" for n in range(3_000)]


def test_a_relay_that_is_killed_leaves_no_line_unannounced(
    bus: MessageBus, model: Store, redis: Redis, environment: dict[str, str]
) -> None:
    # W17, W18
    bus.handle(CreateBatch("b1", "S", 20_000))
    assert set(bus.handle_all([Allocate(f"o{n}", "S", 1) for n in range(20_000)])) == {Done()}
    with Listener(redis) as listener:
        killed = allocation("relay", environment, stderr=subprocess.DEVNULL)
        eventually(lambda: listener.heard)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert len({*listener.batches()}) < 20_000, "it was done before it was killed: nothing was tried"
        with running("relay", environment):
            eventually(lambda: len({*listener.batches()}) == 20_000)
    assert max(Counter(listener.batches()).values()) <= 2, "only the page that it was killed in comes twice"


def test_of_two_relays_one_alone_announces(
    bus: MessageBus, model: Store, redis: Redis, environment: dict[str, str]
) -> None:
    with Listener(redis) as listener, running("relay", environment) as first, running("relay", environment):
        bus.handle(CreateBatch("b1", "S", 1_000))
        for n in range(300):
            bus.handle(Allocate(f"o{n}", "S", 1))
        eventually(lambda: len(listener.heard) >= 300)
        first.terminate()
        first.wait(15)
        bus.handle(Allocate("last", "S", 1))
        eventually(lambda: ("last", "b1") in listener.batches())
    assert len(listener.heard) == 301


@contextmanager
def relay_with_mail(environment: dict[str, str], url: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    with running("relay", environment | {"SMTP_URL": url}, **options) as process:
        yield process


def test_the_stock_team_gets_one_mail_per_sku(
    bus: MessageBus, model: Store, environment: dict[str, str], engine: Engine
) -> None:
    # W11, W29: also for a line that lost its batch, with order and quantity
    bus.handle(CreateBatch("b1", "S", 10))
    bus.handle(Allocate("o1", "S", 10))
    with mail_server() as server:
        with relay_with_mail(environment, server.url):
            bus.handle(ChangeBatchQuantity("b1", 9))
            [mail] = eventually(lambda: server.mails)
            assert mail["Subject"] == "Out of stock for S"
            assert "order 'o1': 10 units" in mail.get_content()
            bus.handle(Allocate("o2", "S", 99))
            bus.handle(CreateBatch("b2", "T", 1))
            bus.handle(Allocate("o3", "T", 2))
            eventually(lambda: len(server.mails) == 2)
        with relay_with_mail(environment | {"ALLOCATION_MAIL_WINDOW": "0"}, server.url):
            bus.handle(CreateBatch("b3", "U", 1))
            bus.handle(Allocate("o4", "U", 2))
            eventually(lambda: len(server.mails) >= 3)
    assert server.subjects() == [f"Out of stock for {sku}" for sku in "STU"]


def test_a_dead_mail_server_holds_up_nothing_and_gets_its_mail_later(
    bus: MessageBus, model: Store, redis: Redis, environment: dict[str, str], tmp_path: Path
) -> None:
    # W18, W32
    port = free_port()
    said = tmp_path / "relay.log"
    with (
        said.open("w") as file,
        Listener(redis) as listener,
        relay_with_mail(environment, f"smtp://127.0.0.1:{port}", stderr=file),
    ):
        bus.handle(CreateBatch("b1", "S", 10))
        bus.handle(Allocate("waits", "S", 99))
        eventually(lambda: "out_of_stock tries again" in said.read_text())
        bus.handle(Allocate("o1", "S", 1))
        eventually(lambda: ("o1", "b1") in listener.batches())
        with mail_server(port) as server:
            eventually(lambda: server.subjects() == ["Out of stock for S"])


def test_a_mail_server_that_never_answers_holds_up_nothing(
    bus: MessageBus, model: Store, redis: Redis, environment: dict[str, str]
) -> None:
    # W32
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        with Listener(redis) as listener, relay_with_mail(environment, url) as relay:
            bus.handle(CreateBatch("b1", "S", 10))
            bus.handle(Allocate("waits", "S", 99))
            connection, _ = silent.accept()
            bus.handle(Allocate("o1", "S", 1))
            eventually(lambda: ("o1", "b1") in listener.batches())
            relay.terminate()
            assert relay.wait(10) == 0, "nor does it keep the relay from ending"
            connection.close()


def test_a_flushed_redis_makes_no_announcement_come_twice(
    bus: MessageBus, model: Store, redis: Redis, environment: dict[str, str]
) -> None:
    with Listener(redis) as listener, running("relay", environment):
        bus.handle(CreateBatch("b1", "S", 10))
        bus.handle(Allocate("o1", "S", 1))
        eventually(lambda: listener.batches() == [("o1", "b1")])
        redis.flushall()
        eventually(lambda: model.generations().live)
        bus.handle(Allocate("o2", "S", 1))
        eventually(lambda: len(listener.heard) >= 2)
    assert listener.batches() == [("o1", "b1"), ("o2", "b1")]
