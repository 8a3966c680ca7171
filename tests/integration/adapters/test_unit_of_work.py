"""What every unit of work promises: the fake and the one on CSV files are held to the same as the real one."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.event import listen

from allocation.adapters.postgres import repository
from allocation.domain.commands import (
    Allocate,
    ChangeBatchEta,
    ChangeBatchQuantity,
    CreateBatch,
    Deallocate,
)
from allocation.domain.errors import Refusal, UnknownBatch
from allocation.domain.events import Event
from allocation.domain.model import Batch, OrderLine
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import LockSet, LoggedEvent
from tests.model.shrink_cases import CASES, Case, outcome
from tests.support.eventually import eventually
from tests.support.fakes import FakeStore
from tests.support.random_commands import random_commands
from tests.support.subjects import Subject, every_store, logged, stores_that_keep_waiting_lines, stores_with_a_log

cases = partial(pytest.mark.parametrize, "case", ids=lambda case: case.reason.replace(" ", "-"))
KEYS = LockSet(
    skus=frozenset(["S", "T"]),
    lines=frozenset([("o1", "S"), ("o2", "S")]),
    batches=frozenset(["b1", "b2"]),
    new_skus=frozenset(["S", "T"]),
)


@every_store
def test_what_is_committed_is_there(subject: Subject) -> None:
    # W41
    subject.commit(CreateBatch("b1", "S", 10, date(2027, 1, 15)), Allocate("o1", "S", 4))
    with subject.begin(KEYS) as uow:
        product = uow.products.get("S")
        assert product is not None
        assert [(b.ref, b.purchased, b.allocated, b.eta) for b in product.stock.batches] == [
            ("b1", 10, 4, date(2027, 1, 15))
        ]
        lines = {line.orderid: (line.qty, line.status, line.batchref, line.version) for line in product.lines.values()}
        assert lines == {"o1": (4, "allocated", "b1", 2)}
        assert (product.version, product.totals.available, product.totals.waiting_units) == (2, 6, 0)


@stores_that_keep_waiting_lines
def test_a_line_that_waits_is_there(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 4), Allocate("o2", "S", 40))
    with subject.begin(KEYS) as uow:
        product = uow.products.get("S")
        assert product is not None
        lines = {line.orderid: (line.qty, line.status, line.batchref, line.version) for line in product.lines.values()}
        assert lines == {"o1": (4, "allocated", "b1", 2), "o2": (40, "waiting", None, 3)}
        assert (product.version, product.totals.available, product.totals.waiting_units) == (3, 6, 40)


@every_store
def test_what_a_batch_was_changed_to_is_there(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), CreateBatch("b2", "S", 10), CreateBatch("b3", "T", 5))
    subject.commit(ChangeBatchQuantity("b1", 0), ChangeBatchEta("b2", date(2027, 1, 15)), ChangeBatchQuantity("b3", 7))
    with subject.begin(LockSet(owners_of=frozenset(["b1", "b2", "b3"]))) as uow:
        found = [uow.products.get_by_batchref("b1"), uow.products.get_by_batchref("b3")]
        batches = [
            (b.ref, b.purchased, b.eta) for product in found if product is not None for b in product.stock.batches
        ]
        assert batches == [("b1", 0, None), ("b2", 10, date(2027, 1, 15)), ("b3", 7, None)]


@every_store
def test_a_line_that_is_taken_back_is_on_no_batch(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 4), Allocate("o2", "S", 5), Deallocate("o1", "S"))
    with subject.begin(KEYS) as uow:
        product = uow.products.get("S")
        assert product is not None
        assert [(batch.ref, batch.allocated) for batch in product.stock.batches] == [("b1", 5)]
        assert [line.orderid for line in product.lines.values() if line.batchref is not None] == ["o2"]
        assert product.totals.available == 5


@every_store
def test_what_is_not_committed_is_not(subject: Subject) -> None:
    with subject.begin(KEYS) as uow:
        uow.products.get_or_create("S").add_batch(Batch.create("b1", "S", 10, None))
    with subject.begin(KEYS) as uow:
        assert uow.products.get("S") is None
        assert uow.products.batch("b1") is None


@stores_with_a_log
def test_what_is_not_committed_is_not_logged(subject: Subject) -> None:
    with subject.begin(KEYS) as uow:
        uow.products.get_or_create("S").add_batch(Batch.create("b1", "S", 10, None))
    assert subject.log() == []


@every_store
def test_a_product_that_never_had_a_batch_is_none(subject: Subject) -> None:
    with subject.begin(KEYS) as uow:
        uow.products.get_or_create("S")
        uow.commit()
    with subject.begin(KEYS) as uow:
        assert uow.products.get("S") is None


@every_store
def test_a_batch_is_found_under_any_sku_and_when_it_is_used_up(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 10))
    with subject.begin(
        LockSet(skus=frozenset(["T"]), batches=frozenset(["b1", "b2"]), new_skus=frozenset(["T"]))
    ) as uow:
        found = uow.products.batch("b1")
        assert found is not None
        assert found.was_created_as("S", 10, None)
        assert uow.products.batch("b2") is None


@every_store
def test_the_events_are_returned_in_their_order(subject: Subject) -> None:
    returned = events_of_two(subject)
    assert [(event["type"], event["version"]) for event in returned] == [("BatchCreated", 1), ("Allocated", 2)]


@stores_with_a_log
def test_the_events_returned_are_the_events_logged(subject: Subject) -> None:
    assert events_of_two(subject) == subject.log()


def events_of_two(subject: Subject) -> list[LoggedEvent]:
    with subject.begin(KEYS) as uow:
        product = uow.products.get_or_create("S")
        product.add_batch(Batch.create("b1", "S", 10, None))
        product.allocate(OrderLine("o1", "S", 4))
        return list(uow.commit())


@stores_with_a_log
def test_what_was_asked_before_is_handed_on_again_and_not_logged_again(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 4), Allocate("o2", "S", 40))
    logged = list(subject.log())
    bus, handed_on = MessageBus(subject.begin, lambda events: handed_on.extend(events)), list[LoggedEvent]()
    assert (
        list(bus.handle_all([CreateBatch("b1", "S", 10), Allocate("o1", "S", 4), Allocate("o2", "S", 40)]))
        == [Done()] * 3
    )
    assert list(subject.log()) == logged
    assert [message["version"] for message in handed_on] == [2, 2, 3], "the latest of the batch, of o1, of o2"
    assert all(message in logged for message in handed_on)


@every_store
def test_nothing_done_is_nothing_told(subject: Subject) -> None:
    with subject.begin(KEYS) as uow:
        assert list(uow.commit()) == []


@stores_that_keep_waiting_lines
def test_the_queue_sees_what_the_same_unit_of_work_has_done(subject: Subject) -> None:
    subject.commit(CreateBatch("b0", "S", 1), Allocate("o1", "S", 5), Allocate("o2", "S", 5))
    with subject.begin(KEYS) as uow:
        product = uow.products.get("S")
        assert product is not None
        product.add_batch(Batch.create("b1", "S", 5, None))
        product.add_batch(Batch.create("b2", "S", 5, None))
        uow.commit()
    with subject.begin(KEYS) as uow:
        product = uow.products.get("S")
        assert product is not None
        assert {line.orderid: line.batchref for line in product.lines.values()} == {"o1": "b1", "o2": "b2"}
        assert product.totals.waiting_lines == 0


@every_store
def test_lines_that_began_to_wait_in_the_same_unit_of_work_are_placed(subject: Subject) -> None:
    with subject.begin(KEYS) as uow:
        product = uow.products.get_or_create("S")
        product.add_batch(Batch.create("b0", "S", 1, None))
        product.allocate(OrderLine("o1", "S", 5))
        product.allocate(OrderLine("o2", "S", 4))
        product.add_batch(Batch.create("b1", "S", 5, None))
        product.add_batch(Batch.create("b2", "S", 5, None))
        uow.commit()
    with subject.begin(KEYS) as uow:
        found = uow.products.get("S")
        assert found is not None
        assert {line.orderid: line.batchref for line in found.lines.values()} == {"o1": "b1", "o2": "b2"}
        assert found.totals.waiting_lines == 0


@every_store
def test_a_product_is_found_by_its_batch_though_it_is_used_up(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 10))
    with subject.begin(LockSet(owners_of=frozenset(["b1", "b2"]))) as uow:
        product = uow.products.get_by_batchref("b1")
        assert product is not None
        assert (product.sku, [batch.ref for batch in product.stock.batches]) == ("S", ["b1"])
        assert uow.products.get_by_batchref("b2") is None


@every_store
def test_a_line_comes_with_its_batch_though_it_is_used_up(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 10))
    with subject.begin(KEYS) as uow:
        product = uow.products.get("S")
        assert product is not None
        assert [(batch.ref, batch.allocated) for batch in product.stock.batches] == [("b1", 10)]


@stores_with_a_log
def test_a_line_that_was_taken_back_is_remembered(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 10), Deallocate("o1", "S"))
    with subject.begin(KEYS) as uow:
        product = uow.products.get("S")
        assert product is not None
        assert [(batch.ref, batch.allocated) for batch in product.stock.batches] == [("b1", 0)]
        assert product.lines["o1"].status == "deallocated"


@cases(CASES)
@stores_that_keep_waiting_lines
def test_lines_lose_their_batch_by_the_same_rule(case: Case, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    # W12
    monkeypatch.setattr(repository, "LINES_PAGE", 1)
    assert outcome(case, subject.begin)[0] == case.expected


@cases([case for case in CASES if not any(isinstance(command, Allocate) for command in case.more)])
@every_store
def test_lines_lose_their_batch_by_the_same_rule_where_no_other_waits(case: Case, subject: Subject) -> None:
    # W12
    assert outcome(case, subject.begin)[0] == case.expected


@pytest.mark.parametrize("seed", range(2))
def test_fake_and_real_decide_alike(
    seed: int, bus: MessageBus, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random deliveries and orders on few SKUs; the real queue read in small pages, the fake one looked through."""
    monkeypatch.setattr(repository, "LINES_PAGE", 3)
    commands = list(islice(random_commands(random.Random(seed)), 1_000))
    fake = FakeStore()
    fake_outcomes = list(MessageBus(fake.begin, lambda events: None).handle_all(commands))
    assert list(map(repr, bus.handle_all(commands))) == list(map(repr, fake_outcomes))
    assert sorted(map(essence, logged(engine)), key=str) == sorted(map(essence, fake.log), key=str)
    assert any(event["type"] == "Allocated" and event["waiting"]["lines"] for event in fake.log)
    assert set(map(type, fake_outcomes)) >= {Done, *Refusal.__subclasses__()}
    assert {event["type"] for event in fake.log} == {event.__name__ for event in Event.__subclasses__()}


def essence(message: LoggedEvent) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "at"}


def test_a_batch_that_is_created_while_it_is_looked_for_is_not_known_yet(bus: MessageBus, engine: Engine) -> None:
    created: list[bool] = []

    def create_after_the_look(*arguments: Any) -> None:
        if "SELECT sku FROM batches" in arguments[2] and not created:
            created.append(True)
            bus.handle(CreateBatch("b1", "S", 10))

    listen(engine, "after_cursor_execute", create_after_the_look)
    with pytest.raises(UnknownBatch):
        bus.handle(ChangeBatchQuantity("b1", 5))
    assert created
    bus.handle(ChangeBatchQuantity("b1", 5))


@pytest.mark.parametrize("lines", [1, 100])
@pytest.mark.parametrize("history", ["none", "long"])
def test_the_number_of_statements_depends_on_nothing(bus: MessageBus, engine: Engine, lines: int, history: str) -> None:
    # W30, W31: neither on the lines of a transaction nor on what the SKU has been through
    skus = [f"S{n}" for n in range(10)]
    list(bus.handle_all(CreateBatch(f"b-{sku}", sku, 1_000) for sku in skus))
    if history == "long":
        list(bus.handle_all(CreateBatch(f"used-{n}", "S0", 1) for n in range(50)))
        list(bus.handle_all(Allocate(f"used-{n}", "S0", 1) for n in range(50)))
        list(bus.handle_all(Allocate(f"waiting-{n}", "S0", 5_000) for n in range(50)))
    seen: list[str] = []
    listen(engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    list(bus.handle_all(Allocate(f"o{n}", skus[n % 10], 1) for n in range(lines)))
    assert len(seen) == 7, "lock, two reads, four writes"


def test_who_waits_for_a_product_holds_up_no_command_on_another(bus: MessageBus, engine: Engine) -> None:
    list(bus.handle_all([CreateBatch("b1", "S", 10), CreateBatch("b2", "T", 10)]))
    with ThreadPoolExecutor(1) as pool, engine.begin() as connection:
        connection.execute(text("SELECT FROM products WHERE sku = 'S' FOR UPDATE"))
        waiting = pool.submit(bus.handle, Allocate("o1", "S", 1))
        eventually(lambda: lock_waits(engine))
        bus.handle(Allocate("o1", "T", 1))
        assert not waiting.done()
        connection.rollback()
        waiting.result()


def lock_waits(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one())
