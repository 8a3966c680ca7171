import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, text

from allocation.adapters.postgres import event_log
from allocation.adapters.postgres.event_log import EventLog, LogBehind
from allocation.domain.events import Allocated, Event, OutOfStock, Totals

NOW = datetime.now(UTC)


def event(sku: str, version: int) -> Event:
    return OutOfStock(sku, version, Totals(), (), None)


def append(connection: Connection, *events: Event) -> None:
    event_log.append(connection, events, NOW)


def read_all(log: EventLog, after: int = 0, limit: int = 5_000) -> list[str]:
    seen, cursor = [], after
    while True:
        messages, position = log.read(cursor, limit)
        seen += [f"{message['sku']}{message['version']}" for message in messages]
        if position == cursor:
            return seen
        cursor = position


def test_events_come_in_the_order_of_their_commits(engine: Engine, log: EventLog) -> None:
    for n in range(1, 4):
        with engine.begin() as connection:
            append(connection, event("S", 2 * n - 1), event("S", 2 * n))
    assert read_all(log) == ["S1", "S2", "S3", "S4", "S5", "S6"]


def test_a_rolled_back_event_never_was(engine: Engine, log: EventLog) -> None:
    with engine.connect() as connection:
        append(connection, event("S", 1))
    with engine.begin() as connection:
        append(connection, event("S", 1), event("S", 2))
    assert read_all(log) == ["S1", "S2"]


def test_a_reader_waits_for_whoever_may_still_commit_below(engine: Engine, log: EventLog) -> None:
    with engine.connect() as slow:
        append(slow, event("S", 1))
        with engine.begin() as fast:
            append(fast, event("T", 1))
        assert read_all(log) == []
        slow.commit()
    assert read_all(log) == ["S1", "T1"]


def test_a_transaction_that_is_only_open_holds_up_nobody(engine: Engine, log: EventLog) -> None:
    with engine.connect() as idle:
        idle.execute(text("SELECT pg_current_xact_id()"))
        with engine.begin() as connection:
            append(connection, event("S", 1))
        assert read_all(log) == ["S1"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_a_page_never_cuts_a_transaction_in_two(engine: Engine, log: EventLog, limit: int) -> None:
    with engine.connect() as one, engine.connect() as other:
        append(one, event("S", 1))
        append(other, event("T", 1), event("T", 2))
        # As one long statement would do it: its positions on both sides of the other's.
        one.execute(text("UPDATE events SET last = false WHERE sku = 'S'"))
        append(one, event("S", 2), event("S", 3))
        one.commit()
        other.commit()
    pages, cursor = [], 0
    while True:
        messages, position = log.read(cursor, limit)
        if position == cursor:
            break
        pages.append([f"{message['sku']}{message['version']}" for message in messages])
        cursor = position
    seen = [name for page in pages for name in page]
    assert set(seen) == {"S1", "S2", "S3", "T1", "T2"}
    for transaction in ({"S1", "S2", "S3"}, {"T1", "T2"}):
        first = next(page for page in pages if transaction & set(page))
        assert transaction <= set(first)


def test_the_log_of_another_database_is_noticed(log: EventLog) -> None:
    with pytest.raises(LogBehind):
        log.read(after=1_000)


def test_one_alone_may_rebuild(log: EventLog, engine: Engine) -> None:
    with log.exclusive() as first, EventLog(engine).exclusive() as second:
        assert (first, second) == (True, False)
    with log.exclusive() as again:
        assert again


def test_under_stress_no_event_is_late(engine: Engine, log: EventLog) -> None:
    """16 writers commit out of order while a reader follows; a second one without the fence shows what it is for."""
    writers, transactions = 16, 150
    done = threading.Event()
    fenced: list[tuple[str, int]] = []
    unfenced: list[int] = []

    def write(number: int) -> None:
        rng = random.Random(number)
        version = 0
        for _ in range(transactions):
            with engine.connect() as connection:
                events = [event(f"S{number}", version + n + 1) for n in range(rng.randint(1, 4))]
                append(connection, *events)
                connection.execute(text("SELECT pg_sleep(:pause)"), {"pause": rng.choice([0, 0, 0.001, 0.005])})
                if rng.random() < 0.9:
                    connection.commit()
                    version += len(events)

    def follow() -> None:
        cursor = 0
        while True:
            last_round = done.is_set()
            messages, position = log.read(cursor, limit=100)
            if position == cursor and last_round:
                return
            fenced.extend((message["sku"], message["version"]) for message in messages)
            cursor = position

    def follow_without_the_fence() -> None:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not done.is_set():
                after = unfenced[-1] if unfenced else 0
                query = text("SELECT position FROM events WHERE position > :after ORDER BY position")
                unfenced.extend(connection.execute(query, {"after": after}).scalars())

    readers = [threading.Thread(target=follow), threading.Thread(target=follow_without_the_fence)]
    for reader in readers:
        reader.start()
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    done.set()
    for reader in readers:
        reader.join()

    with engine.connect() as connection:
        committed = {tuple(row) for row in connection.execute(text("SELECT sku, version FROM events"))}
        out_of_order = connection.execute(OUT_OF_ORDER).scalar_one()
        last_seen = {"last": max(unfenced)}
        below = connection.execute(text("SELECT count(*) FROM events WHERE position <= :last"), last_seen).scalar_one()
    assert out_of_order > 0, "no transaction committed before one with lower positions: nothing was tried"
    assert below > len(unfenced), "a plain reader missed nothing: nothing was tried"
    late = committed - set(fenced)
    assert late == set()
    versions: dict[str, int] = {}
    for sku, version in dict.fromkeys(fenced):
        assert version == versions.get(sku, 0) + 1, "the events of a SKU must come in their order"
        versions[sku] = version


OUT_OF_ORDER = text("""
    SELECT count(*) FROM (
        SELECT pg_xact_commit_timestamp(xmin) AS at,
               max(pg_xact_commit_timestamp(xmin)) OVER (ORDER BY position) AS latest
        FROM events
    ) AS commits WHERE at < latest
""")


def read_types(log: EventLog, *types: str, limit: int = 1_000) -> list[str]:
    seen, cursor = [], 0
    while True:
        messages, position = log.read_types(types, cursor, limit=limit)
        seen += [f"{message['sku']}{message['version']}" for message in messages]
        if position == cursor:
            return seen
        cursor = position


def test_a_reader_of_some_types_waits_for_whoever_may_still_commit_below(engine: Engine, log: EventLog) -> None:
    with engine.connect() as slow:
        append(slow, event("S", 1))
        with engine.begin() as fast:
            append(fast, event("T", 1))
        assert read_types(log, "OutOfStock") == []
        slow.commit()
    assert read_types(log, "OutOfStock") == ["S1", "T1"]


def test_a_reader_of_some_types_is_given_those_alone_in_pages(
    engine: Engine, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And gets past a long stretch without any in steps, so that no step runs into a time-out."""
    monkeypatch.setattr(event_log, "SEARCHED_AT_ONCE", 7)
    with engine.begin() as connection:
        told = [event("S", n) if n % 30 == 0 else allocated("S", n) for n in range(1, 101)]
        append(connection, *told)
    assert read_types(log, "OutOfStock", limit=2) == ["S30", "S60", "S90"]
    assert read_types(log, "OutOfStock", "Allocated", limit=2) == [f"S{n}" for n in range(1, 101)]
    assert read_types(log, "Nothing") == []


def test_a_reader_that_is_shown_more_than_there_is_does_not_get_past_the_end(engine: Engine, log: EventLog) -> None:
    """As views are that tell of a log from before it was restored from a backup."""
    with engine.begin() as connection:
        append(connection, event("S", 1))
    messages, cursor = log.read_types(["OutOfStock"], 0, upto=10_000)
    assert (len(messages), cursor) == (1, log.end())
    assert log.read_types(["OutOfStock"], 0, upto=0) == ([], 0)


def allocated(sku: str, version: int) -> Event:
    return Allocated(sku, version, Totals(), (), None)
