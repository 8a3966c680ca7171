"""The number of statements and the locks of a unit of work on PostgreSQL, and a comparison with the fake."""

import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocation import components
from allocation.adapters.postgres import repository, statements
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate, CancelOrder, ChangeBatchQuantity, Command, CreateBatch
from allocation.domain.errors import BatchConflict, Refusal, UnknownBatch, UnknownSku
from allocation.domain.events import Event
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done, OrderResult
from allocation.service_layer.unit_of_work import CommittedEvents, LoggedEvent
from tests.model.oracle import assert_the_state_is_sound
from tests.support.adapters.requests import keyed
from tests.support.adapters.round_trips import recorded_engine
from tests.support.adapters.waits import waiting
from tests.support.eventually import eventually
from tests.support.service_layer.fakes import FakeStore
from tests.support.service_layer.random_commands import random_commands
from tests.support.service_layer.subjects import logged


def without_time(event: LoggedEvent) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "at"}


@pytest.mark.parametrize("seed", range(2))
def test_fake_and_postgresql_decide_alike(
    seed: int, bus: MessageBus, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many random commands meet on few SKUs. PostgreSQL reads waiting lines in small pages; the fake searches all."""
    monkeypatch.setattr(repository, "LINES_PAGE", 3)
    commands = list(islice(random_commands(random.Random(seed)), 1_000))
    fake = FakeStore()
    fake_outcomes = list(MessageBus(fake.begin, lambda events: None).handle_all(commands))
    assert list(map(repr, bus.handle_all(commands))) == list(map(repr, fake_outcomes))
    assert sorted(map(without_time, logged(engine)), key=str) == sorted(map(without_time, fake.log), key=str)
    assert any(event["type"] == "Allocated" and event["waiting"]["lines"] for event in fake.log)
    assert set(map(type, fake_outcomes)) >= {Done, *Refusal.__subclasses__()}
    assert {event["type"] for event in fake.log} == {event.__name__ for event in Event.__subclasses__()}


@pytest.mark.parametrize(
    ("command", "refusal"), [(Allocate("o1", "S", 1), UnknownSku), (ChangeBatchQuantity("b1", 5), UnknownBatch)]
)
def test_product_created_after_the_lock_does_not_exist(
    command: Command, refusal: type[Refusal], bus: MessageBus, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction sees the new product, but it has not locked it. So it must not change it."""
    with after_the_lock(bus, command, engine, monkeypatch) as outcome:
        bus.handle(CreateBatch("b1", "S", 10))
    with pytest.raises(refusal):
        outcome.result()
    bus.handle(command)
    assert_the_state_is_sound(engine)


def test_order_that_gets_a_line_after_the_lock_is_cancelled_whole(
    bus: MessageBus, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(bus.handle_all([CreateBatch("b1", "S", 10), CreateBatch("b2", "T", 10), Allocate("o1", "S", 1)]))
    with after_the_lock(bus, CancelOrder("o1"), engine, monkeypatch) as outcome:
        bus.handle(Allocate("o1", "T", 1))
    outcome.result()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT DISTINCT status FROM order_lines")).scalars().all() == ["deallocated"]
    assert_the_state_is_sound(engine)


@contextmanager
def after_the_lock(
    bus: MessageBus, command: Command, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Future[OrderResult | None]]:
    """Run the block after the command has locked its products, and before it reads. Yield its future outcome."""
    with ThreadPoolExecutor(1) as pool, engine.connect() as holder:
        holder.execute(text("SELECT pg_advisory_xact_lock(1)"))
        with monkeypatch.context() as patch:
            for name in ("LOCK_PRODUCTS", "LOCK_PRODUCTS_OF_NAMES"):
                patch.setattr(statements, name, f"{getattr(statements, name)}; SELECT pg_advisory_xact_lock(1)")
            outcome = pool.submit(bus.handle, command)
            eventually(lambda: waiting(engine, "pg_advisory_xact_lock") == 1)
        yield outcome
        holder.rollback()


def test_refused_batch_leaves_no_product(bus: MessageBus, engine: Engine) -> None:
    """The transaction commits although the batch is refused, because it stores the outcome of the key."""
    bus.handle(CreateBatch("b1", "S", 10))
    other = CreateBatch("b1", "GHOST", 10)
    assert [type(outcome) for outcome in bus.handle_requests([keyed("k1", other)])] == [BatchConflict]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT sku FROM products")).scalars().all() == ["S"]


@pytest.mark.parametrize("lines", [1, 100])
@pytest.mark.parametrize("history", ["none", "long"])
def test_number_of_statements_is_constant(bus: MessageBus, database_url: str, lines: int, history: str) -> None:
    """It depends neither on the number of lines in a transaction nor on the history of a SKU."""
    skus = [f"S{n}" for n in range(10)]
    list(bus.handle_all(CreateBatch(f"b-{sku}", sku, 1_000) for sku in skus))
    if history == "long":
        list(bus.handle_all(CreateBatch(f"used-{n}", "S0", 1) for n in range(50)))
        list(bus.handle_all(Allocate(f"used-{n}", "S0", 1) for n in range(50)))
        list(bus.handle_all(Allocate(f"waiting-{n}", "S0", 5_000) for n in range(50)))
    with recorded_engine(database_url) as (recorded, strings):
        other = components.create_message_bus(recorded, components.leave_to_relay)
        list(other.handle_all(Allocate(f"o{n}", skus[n % 10], 1) for n in range(lines)))
    written = strings[-1].split(";\n")
    assert len(written) == 6, "Four statements write, one commits, and one reads the position"


def test_lock_on_a_product_blocks_no_other_product(bus: MessageBus, engine: Engine) -> None:
    list(bus.handle_all([CreateBatch("b1", "S", 10), CreateBatch("b2", "T", 10)]))
    with ThreadPoolExecutor(1) as pool, engine.begin() as connection:
        connection.execute(text("SELECT FROM products WHERE sku = 'S' FOR UPDATE"))
        blocked = pool.submit(bus.handle, Allocate("o1", "S", 1))
        eventually(lambda: waiting(engine, "FOR NO KEY UPDATE") == 1)
        bus.handle(Allocate("o1", "T", 1))
        assert not blocked.done()
        connection.rollback()
        blocked.result()


def test_events_have_the_epoch_of_the_log(engine: Engine) -> None:
    """The bus also publishes the identity, which the views compare with their own."""
    published: list[CommittedEvents] = []
    bus = components.create_message_bus(engine, published.append)
    bus.handle(CreateBatch("b1", "S", 10))
    before, after = EventLog(engine).identity(), EventLog(engine).adopt([])
    request = keyed("k1", Allocate("o1", "S", 1))
    for _ in range(2):  # The second time, the transaction locks no product.
        assert list(bus.handle_requests([request])) == [Done()]
    assert [event["epoch"] for event in logged(engine)] == [1, 2]
    assert [committed.identity for committed in published] == [before, after.identity, after.identity]
    assert published[1].events == published[2].events == logged(engine)[1:]
