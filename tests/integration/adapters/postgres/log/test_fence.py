"""A reader of the log passes no position that may still appear."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.log.event_log import EventLog
from tests.support.adapters.event_log import append, out_of_stock, read_all, read_all_of_types

WRITERS, TRANSACTIONS = 16, 150
OUT_OF_ORDER = text("""
    SELECT count(*) FROM (
        SELECT pg_xact_commit_timestamp(xmin) AS at,
               max(pg_xact_commit_timestamp(xmin)) OVER (ORDER BY position) AS latest
        FROM events
    ) AS commits WHERE at < latest
""")


def test_reader_waits_for_the_commit_of_a_lower_position(engine: Engine, log: EventLog) -> None:
    with engine.connect() as slow:
        append(slow, out_of_stock("S", 1))
        with engine.begin() as fast:
            append(fast, out_of_stock("T", 1))
        assert read_all(log) == []
        slow.commit()
    assert read_all(log) == ["S1", "T1"]


def test_reader_of_types_waits_for_a_lower_position(engine: Engine) -> None:
    with engine.connect() as slow:
        append(slow, out_of_stock("S", 1))
        with engine.begin() as fast:
            append(fast, out_of_stock("T", 1))
        assert read_all_of_types(engine, "OutOfStock") == []
        slow.commit()
    assert read_all_of_types(engine, "OutOfStock") == ["S1", "T1"]


def test_open_transaction_without_events_blocks_no_reader(engine: Engine, log: EventLog) -> None:
    with engine.connect() as idle:
        idle.execute(text("SELECT pg_current_xact_id()"))
        with engine.begin() as connection:
            append(connection, out_of_stock("S", 1))
        assert read_all(log) == ["S1"]


@pytest.mark.slow
def test_no_event_appears_behind_a_reader_under_stress(engine: Engine, log: EventLog) -> None:
    """Writers commit out of order while a reader follows. A reader without the fence shows that it misses events."""
    done = threading.Event()
    fenced: list[tuple[str, int]] = []
    unfenced: list[int] = []

    def write(number: int) -> None:
        rng = random.Random(number)
        version = 0
        for _ in range(TRANSACTIONS):
            with engine.connect() as connection:
                events = [out_of_stock(f"S{number}", version + n + 1) for n in range(rng.randint(1, 4))]
                append(connection, *events)
                connection.execute(text("SELECT pg_sleep(:pause)"), {"pause": rng.choice([0, 0, 0.001, 0.005])})
                if rng.random() < 0.9:
                    connection.commit()
                    version += len(events)

    def follow() -> None:
        cursor = 0
        while True:
            last_round = done.is_set()
            events, position = log.read(cursor, limit=100)
            if position == cursor and last_round:
                return
            fenced.extend((event["sku"], event["version"]) for event in events)
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
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    done.set()
    for reader in readers:
        reader.join()

    with engine.connect() as connection:
        committed = {tuple(row) for row in connection.execute(text("SELECT sku, version FROM events"))}
        out_of_order = connection.execute(OUT_OF_ORDER).scalar_one()
        last_seen = {"last": max(unfenced)}
        below = connection.execute(text("SELECT count(*) FROM events WHERE position <= :last"), last_seen).scalar_one()
    assert out_of_order > 0, "No transaction committed before one with lower positions: the race did not take place"
    assert below > len(unfenced), "The reader without the fence missed no event: the race did not take place"
    missed = committed - set(fenced)
    assert missed == set()
    versions: dict[str, int] = {}
    for sku, version in dict.fromkeys(fenced):
        assert version == versions.get(sku, 0) + 1, "The log must return a SKU's events in the order of their versions"
        versions[sku] = version
