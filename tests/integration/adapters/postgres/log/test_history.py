"""The log begins a new epoch if it may have lost events, and only then."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.log import history
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.service_layer.unit_of_work import FIRST_EPOCH, History
from tests.support.adapters.event_log import append, out_of_stock
from tests.support.adapters.history import Place, applied, described_otherwise, execute
from tests.support.patience import PATIENCE


def test_the_first_check_only_records_the_server(engine: Engine, log: EventLog) -> None:
    identity = log.identity()
    assert log.history() == (identity, FIRST_EPOCH)
    with engine.connect() as connection:
        server = str(connection.execute(text("SELECT server FROM log")).scalar_one())
    assert [len(part) > 0 for part in server.split("/")] == [True] * 3


def test_equal_events_keep_the_history(first: History, log: EventLog, engine: Engine) -> None:
    places = applied(log)
    assert log.history(places) == first
    with engine.begin() as connection:
        append(connection, out_of_stock("S", 3))
    assert log.history(places) == first, "a later event changes nothing below the cursor"


def test_a_cursor_in_a_gap_keeps_the_history(first: History, log: EventLog, engine: Engine) -> None:
    """A transaction that rolls back leaves a gap, to which a cursor may point."""
    with engine.connect() as connection:
        append(connection, out_of_stock("S", 3))
        connection.rollback()
    places = applied(log)
    assert places[0].mark.split(" ")[0] != places[0].mark.split(" ")[1], "the cursor points to no gap"
    assert log.history(places) == first


@pytest.mark.parametrize("part", [0, 1, 2], ids=["system-identifier", "database", "timeline"])
def test_another_server_begins_an_epoch(part: int, first: History, log: EventLog, engine: Engine) -> None:
    execute(engine, f"UPDATE log SET server = {described_otherwise(part)}")
    after = log.history(applied(log))
    assert (after.epoch, after.identity != first.identity) == (2, True)
    assert EventLog(engine).history() == after, "the new description is recorded"


@pytest.mark.parametrize(("part", "epoch"), [(0, 2), (1, 2), (2, 1)], ids=["system-identifier", "database", "timeline"])
def test_synchronous_replication_ignores_the_timeline(part: int, epoch: int, first: History, engine: Engine) -> None:
    execute(engine, f"UPDATE log SET server = {described_otherwise(part)}")
    log = EventLog(engine, synchronous=True)
    after = log.history(applied(log))
    assert (after.epoch, after == first) == (epoch, epoch == 1)
    assert EventLog(engine).history() == after, "the new timeline is recorded"


def test_a_part_that_no_server_offers_is_no_difference(first: History, log: EventLog, engine: Engine) -> None:
    for part in range(3):
        execute(engine, f"UPDATE log SET server = {described_otherwise(part, '')}")
        assert log.history() == first


def test_another_last_event_begins_an_epoch(first: History, log: EventLog, engine: Engine) -> None:
    places = applied(log)
    execute(engine, "UPDATE events SET data = CAST(replace(CAST(data AS text), 'S', 'T') AS json) WHERE version = 2")
    assert log.history(places).epoch == 2
    assert log.history(places).epoch == 2, "the places belong to the former history now"


def test_an_epoch_is_higher_than_every_epoch_seen(first: History, log: EventLog) -> None:
    """An older copy of the database is put in place: the views have seen epochs that it does not know."""
    assert log.history([Place(1, "another", epoch=7)]).epoch == 8


def test_a_damaged_epoch_begins_none(first: History, log: EventLog) -> None:
    """Redis could not show a greater one, so no rebuild would ever succeed."""
    damaged = [Place(1, "another", epoch=10**18 - 1)]
    assert log.history(damaged) == first
    assert log.adopt(damaged).epoch == 2


def test_another_log_of_the_same_epoch_begins_none(first: History, log: EventLog) -> None:
    assert log.history([Place(10**6, "another", FIRST_EPOCH, "1 1 0123456789abcdef")]) == first


def test_adoption_begins_an_epoch(first: History, log: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    after = log.adopt(applied(log))
    assert (after.epoch, after.identity != first.identity) == (2, True)
    assert log.history() == after
    assert "The log begins epoch 2: an operator has adopted the database" in caplog.messages


def test_concurrent_checks_begin_one_epoch(
    first: History, log: EventLog, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several relays have found the same reason before one of them begins the epoch."""
    places = applied(log)
    execute(engine, f"UPDATE log SET server = {described_otherwise(2)}")
    barrier, raise_sequence = threading.Barrier(8), history.raise_sequence

    def meet(*arguments: Any) -> None:
        barrier.wait(PATIENCE)
        raise_sequence(*arguments)

    monkeypatch.setattr(history, "raise_sequence", meet)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: EventLog(engine).history(places), range(8)))
    assert {after.epoch for after in found} == {2}
    assert set(found) == {log.history()}


def test_an_ordinary_role_can_check_the_history(
    first: History, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """A managed database may offer neither the system identifier nor the timeline."""
    role = f"plain_{engine.url.database}"
    execute(
        engine,
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT, UPDATE ON log TO {role};"
        f"GRANT SELECT ON events, events_position_seq, subscriptions TO {role};"
        "REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn), pg_control_system() FROM PUBLIC",
    )
    url = engine.url.set(username=role, password="x").render_as_string(hide_password=False)
    plain = create_postgres_engine(url, direct=True)
    places = applied(EventLog(engine))
    assert EventLog(plain).history(places) == first
    assert EventLog(plain).database() == "-" + EventLog(engine).database().partition("-")[2]
    for part in ("timeline", "system identifier"):
        assert f"PostgreSQL does not show its {part}. A change of it goes unnoticed" in caplog.messages
    assert "PostgreSQL does not show its database. A change of it goes unnoticed" not in caplog.messages
    execute(engine, f"UPDATE log SET server = {described_otherwise(2)}")
    assert EventLog(engine).history(places).epoch == 2, "the recorded parts are still known to other relays"
    plain.dispose()
    execute(engine, f"DROP OWNED BY {role}; DROP ROLE {role}")
