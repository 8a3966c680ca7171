"""The events, pages and cursors that the log returns."""

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.log import typed_entries
from allocation.adapters.postgres.log.event_log import EventLog, LogBehind
from tests.support.adapters.event_log import allocated, append, out_of_stock, pages, read_all, read_all_of_types


def test_log_returns_events_in_the_order_of_their_commits(engine: Engine, log: EventLog) -> None:
    for n in range(1, 4):
        with engine.begin() as connection:
            append(connection, out_of_stock("S", 2 * n - 1), out_of_stock("S", 2 * n))
    assert read_all(log) == ["S1", "S2", "S3", "S4", "S5", "S6"]


def test_log_omits_the_events_of_a_rollback(engine: Engine, log: EventLog) -> None:
    with engine.connect() as connection:
        append(connection, out_of_stock("S", 1))
    with engine.begin() as connection:
        append(connection, out_of_stock("S", 1), out_of_stock("S", 2))
    assert read_all(log) == ["S1", "S2"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_page_contains_only_whole_transactions(engine: Engine, log: EventLog, limit: int) -> None:
    with engine.connect() as one, engine.connect() as other:
        append(one, out_of_stock("S", 1))
        append(other, out_of_stock("T", 1), out_of_stock("T", 2))
        # One long statement would do the same: it draws positions on both sides of the other transaction's.
        one.execute(text("UPDATE events SET last = false WHERE sku = 'S'"))
        append(one, out_of_stock("S", 2), out_of_stock("S", 3))
        one.commit()
        other.commit()
    found = list(pages(log, limit))
    assert {name for page in found for name in page} == {"S1", "S2", "S3", "T1", "T2"}
    for transaction in ({"S1", "S2", "S3"}, {"T1", "T2"}):
        first = next(page for page in found if transaction & set(page))
        assert transaction <= set(first)


def test_log_raises_log_behind_when_the_cursor_is_beyond_it(log: EventLog) -> None:
    """The cursor may be that of another database, or of this database before it was restored from a backup."""
    with pytest.raises(LogBehind):
        log.read(after=1_000)


def test_only_one_process_at_a_time_gets_the_rebuild_lock(log: EventLog, engine: Engine) -> None:
    with log.rebuild_lock() as first, EventLog(engine).rebuild_lock() as second:
        assert (first, second) == (True, False)
    with log.rebuild_lock() as again:
        assert again


def test_reader_of_types_gets_pages_of_only_those_types(
    engine: Engine, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader searches a long stretch without such events in steps, so that no step exceeds its time-out."""
    monkeypatch.setattr(typed_entries, "SEARCHED_AT_ONCE", 7)
    with engine.begin() as connection:
        append(connection, *(out_of_stock("S", n) if n % 30 == 0 else allocated("S", n) for n in range(1, 101)))
    assert read_all_of_types(engine, "OutOfStock", limit=2) == ["S30", "S60", "S90"]
    assert read_all_of_types(engine, "OutOfStock", "Allocated", limit=2) == [f"S{n}" for n in range(1, 101)]
    assert read_all_of_types(engine, "Nothing") == []


def test_reader_of_types_stops_at_the_end_of_the_log(engine: Engine, log: EventLog) -> None:
    """After a restore from a backup, the views may show positions that the log has lost."""
    with engine.begin() as connection:
        append(connection, out_of_stock("S", 1))
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        entries, cursor = typed_entries.read_types(connection, ["OutOfStock"], 0, upto=10_000)
        assert (len(entries), cursor) == (1, log.end())
        assert typed_entries.read_types(connection, ["OutOfStock"], 0, upto=0) == ([], 0)
