"""The log has an event that the views can't apply. They show the state instead, and the cursor passes the event."""

from datetime import date

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate, ChangeBatchEta, CreateBatch
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.parking import retry_parked
from readmodel.projector.rebuild import rebuild
from readmodel.store.store import Store
from readmodel.views import order_history, orders
from tests.support.entrypoints.poison import DamagedEvent, insert_poison, letters, retry_all, states
from tests.support.readmodel.continuous_verification import verify_everything, verifying
from tests.support.readmodel.rebuilds import allocate_some, follow_to_the_end
from tests.support.readmodel.verification import places

MEMBERS = ["batches", "available", "version", "sku", "at", "type", "line"]


@pytest.fixture
def damaged(model: Store, bus: MessageBus, engine: Engine) -> DamagedEvent:
    """The last event of S: the line of "mine" got its batch. The fixture itself damages nothing."""
    allocate_some(bus)
    bus.handle(CreateBatch("b1", "S", 10))
    bus.handle(Allocate("mine", "S", 4))
    return DamagedEvent(engine, "S", 2)


def shown_line(store: Store) -> object:
    order = store.read(lambda snapshot: orders.order(snapshot, "mine")).value
    return None if order is None else (order["lines"][0]["status"], order["lines"][0]["batchref"])


def shown_history(store: Store) -> list[str]:
    history = store.read(lambda snapshot: order_history.order_history(snapshot, "mine")).value
    return [] if history is None else [event["event"] for event in history["events"]]


@pytest.mark.parametrize("member", MEMBERS)
def test_the_relay_shows_the_state_instead(
    member: str, damaged: DamagedEvent, model: Store, log: EventLog, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    damaged.without(member)
    follow_to_the_end(model, log)
    live = model.generations().live or ""
    assert model.cursor(live, log.identity()) == log.end()
    assert shown_line(model) == ("allocated", "b1")
    assert places(model, engine) == set()
    assert states(engine) == [("S", 2, "dead")]
    [line] = [message for message in caplog.messages if "can't apply" in message]
    assert f"the event at position {damaged.position} (S, version 2, Allocated)" in line


@pytest.mark.parametrize("member", MEMBERS)
def test_a_rebuild_shows_the_state_instead(
    member: str, damaged: DamagedEvent, model: Store, log: EventLog, engine: Engine, bus: MessageBus
) -> None:
    damaged.without(member)
    for _ in range(2):
        rebuilt = rebuild(model, log, PROJECTION)
        assert f"They can't apply 1 event, for example that at position {damaged.position} (" in str(rebuilt)
        assert shown_line(model) == ("allocated", "b1")
        assert places(model, engine) == set()
    assert states(engine) == [("S", 2, "dead")]
    bus.handle(Allocate("o2", "S", 1))
    follow_to_the_end(model, log)
    assert places(model, engine) == set()


@pytest.mark.parametrize(
    "data",
    [
        "[]",
        "null",
        r'{"sku": "\ud800"}',
        '{"type": "Allocated", "sku": "S", "version": "2"}',
        '{"type": ["Allocated"], "sku": "S", "version": 2, "at": {}}',
        '{"type": {}, "sku": "S", "version": 2, "at": "2026-11-26T12:00:00+00:00", "actor": 7}',
    ],
)
def test_an_event_that_is_no_event_stops_nothing(
    data: str, damaged: DamagedEvent, model: Store, log: EventLog, engine: Engine
) -> None:
    damaged.with_data(data)
    follow_to_the_end(model, log)
    assert (shown_line(model), places(model, engine)) == (("allocated", "b1"), set())
    rebuild(model, log, PROJECTION)
    assert (shown_line(model), places(model, engine)) == (("allocated", "b1"), set())


def test_an_event_of_no_product_is_parked(model: Store, log: EventLog, engine: Engine) -> None:
    position = insert_poison(engine, "GHOST")
    follow_to_the_end(model, log)
    rebuild(model, log, PROJECTION)
    assert [(letter.position, letter.subscription, letter.state) for letter in letters(engine)] == [
        (position, "views", "dead")
    ]


def test_readers_notice_the_new_eta_of_a_parked_event(
    damaged: DamagedEvent, model: Store, log: EventLog, engine: Engine, bus: MessageBus
) -> None:
    """Readers cache the ETAs of batches."""
    follow_to_the_end(model, log)
    before = model.redis.get(model.names.cache_token)
    bus.handle(ChangeBatchEta("b1", date(2027, 1, 15)))
    bus.handle(Allocate("o2", "S", 1))
    DamagedEvent(engine, "S", 3).without("batches")
    follow_to_the_end(model, log)
    assert model.redis.get(model.names.cache_token) != before
    assert places(model, engine) == set()


def test_a_retry_adds_the_event_to_the_history(
    damaged: DamagedEvent, model: Store, log: EventLog, engine: Engine
) -> None:
    damaged.without("at")
    follow_to_the_end(model, log)
    assert shown_history(model) == []
    retry_all(engine)
    retry_parked(model, log.letters, PROJECTION, log.identity())
    assert states(engine) == [("S", 2, "dead")], "the event was not repaired"
    damaged.repair()
    retry_all(engine)
    retry_parked(model, log.letters, PROJECTION, log.identity())
    assert (states(engine), shown_history(model)) == ([], ["Allocated"])
    assert places(model, engine) == set()


def test_a_rebuild_removes_the_letter_of_a_repaired_event(
    damaged: DamagedEvent, model: Store, log: EventLog, engine: Engine
) -> None:
    damaged.without("at")
    follow_to_the_end(model, log)
    damaged.repair()
    rebuild(model, log, PROJECTION)
    assert (states(engine), shown_history(model)) == ([], ["Allocated"])


@pytest.mark.parametrize("member", MEMBERS)
def test_the_verification_survives_a_damaged_event(
    member: str, damaged: DamagedEvent, model: Store, log: EventLog, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    damaged.without(member)
    follow_to_the_end(model, log)
    with verifying(model, engine) as thread:
        verify_everything(thread)
    assert "the relay corrected" not in caplog.text
