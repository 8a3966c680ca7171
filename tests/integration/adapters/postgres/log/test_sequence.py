"""The sequence of positions stays above every position that a reader has seen."""

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.log import history
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import CreateBatch
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import History
from tests.support.adapters.event_log import append, out_of_stock
from tests.support.adapters.history import Place, execute


def test_a_log_that_ends_too_early_begins_an_epoch(first: History, log: EventLog, engine: Engine) -> None:
    """Later events must not use the positions that the views have seen."""
    places = [Place(log.end() + 500, first.identity)]
    assert log.history(places).epoch == 2
    assert log.end() == places[0].cursor


def test_a_sequence_behind_the_log_is_raised(
    first: History, log: EventLog, engine: Engine, bus: MessageBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(engine, "SELECT setval('events_position_seq', 10000)")
    with engine.begin() as connection:
        append(connection, out_of_stock("S", 3))
    for leap, low in [(history.LEAP, 1), (100, 1), (100, 9_851)]:
        monkeypatch.setattr(history, "LEAP", leap)
        execute(engine, f"SELECT setval('events_position_seq', {low})")
        log.history()
        assert log.end() == 10001
    bus.handle(CreateBatch("b", "S2", 1))
    assert log.history().epoch == 4


def test_a_damaged_cursor_does_not_use_up_positions(first: History, log: EventLog, engine: Engine) -> None:
    end = log.end()
    assert log.history([Place(10**17, first.identity)]).epoch == 2
    assert log.end() == end


def test_a_suspended_check_never_lowers_the_sequence(first: History, engine: Engine, log: EventLog) -> None:
    """A relay was suspended after it had read the log. Meanwhile another relay has raised the sequence."""
    lost = [Place(log.end() + 5 * history.LEAP, first.identity)]
    with engine.begin() as connection:
        stale = history.read_log(connection)
    execute(engine, f"SELECT setval('events_position_seq', {lost[0].cursor + 7})")
    with engine.begin() as connection:
        history.raise_sequence(connection, stale, lost)
    assert log.end() == lost[0].cursor + 7


def test_positions_of_subscriptions_are_not_used_again(first: History, log: EventLog, engine: Engine) -> None:
    execute(engine, "UPDATE subscriptions SET cursor = 700 WHERE name = 'out_of_stock'")
    log.adopt([])
    assert log.end() == 700
