"""A handler fails because of one event. Only the later events of its SKU wait for an operator."""

from collections.abc import Sequence

import pytest
from redis import Redis
from sqlalchemy import Engine, text

from allocation.adapters.postgres.subscriptions import subscription_states
from allocation.domain.changes import Origin
from allocation.domain.commands import Allocate
from allocation.entrypoints.relay.handled_events import HandledEvents
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.out_of_stock import NotSent
from allocation.service_layer.unit_of_work import LoggedEvent
from tests.support.adapters.subscriptions import NAME, run_out_of_stock, stored_cursor, subscription
from tests.support.entrypoints.poison import (
    PARKED,
    DamagedEvent,
    Recorder,
    drop_all,
    has_states,
    letters,
    retry_all,
    states,
)
from tests.support.eventually import eventually


def test_only_later_events_of_the_sku_wait(
    bus: MessageBus, engine: Engine, recorder: Recorder, poison: DamagedEvent, caplog: pytest.LogCaptureFixture
) -> None:
    with subscription(engine, recorder) as thread:
        eventually(has_states(engine, *PARKED))
        bus.handle(Allocate("o3", "S", 2))
        run_out_of_stock(bus, "V")
        eventually(has_states(engine, *PARKED, ("S", 4, "waiting")))
        eventually(lambda: "V2" in recorder.handled)
        assert thread.failure is None
    assert sorted(recorder.handled) == ["T2", "U2", "V2"]
    lines = [line for line in caplog.text.splitlines() if f"position {poison.position}" in line]
    assert len(lines) == 2, "one line when it was parked, and one when it became a dead letter"
    assert all("KeyError: 'line' (poison.py, line " in line for line in lines)
    assert "Traceback" not in caplog.text
    [dead, *_] = letters(engine)
    assert (dead.subscription, dead.position, dead.type, dead.attempts) == (NAME, poison.position, "OutOfStock", 3)
    assert (dead.data["sku"], "line" in dead.data, "KeyError: 'line'" in (dead.error or "")) == ("S", False, True)


def test_a_parked_event_is_logged_with_its_request(
    bus: MessageBus, engine: Engine, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    run_out_of_stock(bus, "S")
    bus.handle(Allocate("o2", "S", 2), origin=Origin(correlation_id="mine"))
    DamagedEvent(engine, "S", 3).without("line")
    with subscription(engine, recorder):
        eventually(lambda: "has parked it" in caplog.text)
    [record] = [record for record in caplog.records if "has parked it" in record.getMessage()]
    assert vars(record)["correlation_id"] == "mine"


def test_a_retry_handles_the_events_in_order(
    bus: MessageBus, engine: Engine, recorder: Recorder, poison: DamagedEvent
) -> None:
    with subscription(engine, recorder):
        eventually(has_states(engine, *PARKED))
        poison.repair()
        retry_all(engine)
        eventually(has_states(engine))
        bus.handle(Allocate("o3", "S", 2))
        eventually(lambda: "S4" in recorder.handled)
    assert [name for name in recorder.handled if name.startswith("S")] == ["S2", "S3", "S4"]


def test_a_retry_without_a_repair_is_bounded(engine: Engine, recorder: Recorder, poison: DamagedEvent) -> None:
    with subscription(engine, recorder):
        eventually(has_states(engine, *PARKED))
        retry_all(engine)
        eventually(has_states(engine, *PARKED))
        assert letters(engine)[0].attempts == 3
    assert sorted(recorder.handled) == ["T2", "U2"]


def test_a_drop_releases_the_events_behind_it(engine: Engine, recorder: Recorder, poison: DamagedEvent) -> None:
    with subscription(engine, recorder):
        eventually(has_states(engine, *PARKED))
        drop_all(engine)
        eventually(has_states(engine))
    assert sorted(recorder.handled) == ["S3", "T2", "U2"]


def test_an_error_that_goes_away_needs_no_operator(bus: MessageBus, engine: Engine) -> None:
    seen: list[list[str]] = []

    def handle(events: Sequence[LoggedEvent]) -> None:
        seen.append([event["sku"] for event in events])
        if len(seen) <= 3:
            raise ValueError("a bug")

    run_out_of_stock(bus, "S", "T")
    with subscription(engine, handle):
        eventually(lambda: stored_cursor(engine) > 0 and len(seen) >= 5 and states(engine) == [])
    assert seen[:3] == [["S", "T"], ["S"], ["T"]], "the page fails first, and then the events of each SKU"
    assert sorted(seen[3:]) == [["S"], ["T"]]


def test_events_that_can_not_be_parsed_are_parked(engine: Engine, recorder: Recorder, poison: DamagedEvent) -> None:
    """PostgreSQL accepts this JSON."""
    poison.with_data(r'{"sku": "\ud800"}')
    with subscription(engine, recorder):
        eventually(has_states(engine, *PARKED))


def test_letters_and_cursor_are_stored_together(engine: Engine, recorder: Recorder, poison: DamagedEvent) -> None:
    """A process that dies between the two would lose the event, or park it and handle the later ones twice."""
    before = stored_cursor(engine)
    with engine.begin() as connection:
        connection.execute(
            text("ALTER TABLE subscriptions ADD CONSTRAINT stuck CHECK (name <> 'out_of_stock') NOT VALID")
        )
    with subscription(engine, recorder) as thread:
        thread.join()  # The breach of the constraint is no outage, so it ends the thread.
        assert "stuck" in str(thread.failure)
    assert (states(engine), stored_cursor(engine)) == ([], before)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE subscriptions DROP CONSTRAINT stuck"))
    with subscription(engine, recorder):
        eventually(has_states(engine, *PARKED))
    assert stored_cursor(engine) > before


def test_of_two_relays_only_one_parks_and_retries(engine: Engine, poison: DamagedEvent) -> None:
    first, second = Recorder(), Recorder()
    with subscription(engine, first), subscription(engine, second):
        eventually(has_states(engine, *PARKED))
        poison.repair()
        retry_all(engine)
        eventually(has_states(engine))
    assert sorted(first.handled + second.handled) == ["S2", "S3", "T2", "U2"]
    assert not (first.calls and second.calls)


def test_a_failover_loses_no_parked_event(
    engine: Engine, redis: Redis, recorder: Recorder, poison: DamagedEvent
) -> None:
    """The new server lacks the letters and the cursor. Redis knows that later events were handled."""
    record, start = HandledEvents(redis, "handled"), stored_cursor(engine)
    with subscription(engine, recorder, handled=record):
        eventually(has_states(engine, *PARKED))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM dead_letters"))
        connection.execute(text("UPDATE subscriptions SET cursor = :start"), {"start": start})
    with subscription(engine, recorder, handled=record):
        eventually(has_states(engine, *PARKED))
    assert sorted(recorder.handled) == ["T2", "U2"]


def test_the_database_has_the_last_error(bus: MessageBus, engine: Engine) -> None:
    broken = [True]

    def handle(events: Sequence[LoggedEvent]) -> None:
        if broken:
            raise NotSent("the server hangs")

    def state() -> tuple[str | None, bool]:
        with engine.connect() as connection:
            [found] = [one for one in subscription_states(connection) if one.name == NAME]
        return found.last_error, found.failing_since is not None

    assert state() == (None, False)
    run_out_of_stock(bus, "S")
    with subscription(engine, handle):
        eventually(lambda: state() == ("the server hangs", True))
        broken.clear()
        eventually(lambda: state() == ("the server hangs", False))
