"""A consumer leases a parked message, executes it without a transaction, and settles it."""

import threading

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.dead_letters import READ_COUNTS, Counts, Selection, counts, mark_for_retry
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.parked_events import Retries
from allocation.adapters.postgres.parked_messages import Leased, ParkedMessages
from tests.support.entrypoints.poison import letters

CHANNEL = "a_channel"
OPEN_TRANSACTIONS = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
          AND xact_start IS NOT NULL
""")
LOCKS = text("SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid() AND locktype IN ('advisory', 'tuple')")
END_LEASES = text("UPDATE dead_letters SET due_at = parked_at WHERE due_at > clock_timestamp()")
INSERT_WAITING = text("""
    INSERT INTO dead_letters (subscription, subject, message, state)
    SELECT 'channel ' || number % 3, 'b1', CAST(repeat('x', 1000) AS bytea), 'waiting'
    FROM generate_series(1, 3000) AS number
""")


@pytest.fixture
def parked(engine: Engine) -> ParkedMessages:
    """Messages of two batches: "a" fails and "b" waits behind it, and "c" is about another batch."""
    found = ParkedMessages(engine, CHANNEL, Retries(attempts=2, pause=0.0))
    found.park("b1", b"a", "a bug")
    found.park("b1", b"b", None)
    found.park("b2", b"c", None)
    return found


def lease(parked: ParkedMessages) -> Leased:
    leased = parked.lease()
    assert leased is not None
    return leased


def messages(engine: Engine) -> list[bytes | None]:
    return [letter.message for letter in letters(engine)]


def end_leases(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(END_LEASES)


def test_no_transaction_is_open_while_a_message_executes(engine: Engine, parked: ParkedMessages) -> None:
    """The server would end an idle one after 5 s, and the message would be executed again after a later one."""
    leased = lease(parked)
    with engine.connect() as connection:
        assert connection.execute(OPEN_TRANSACTIONS).scalar_one() == 0
        assert connection.execute(LOCKS).scalar_one() == 0
    assert parked.settle(leased, None) is None
    assert messages(engine) == [b"b", b"c"]


def test_a_leased_message_holds_back_only_its_batch(engine: Engine, parked: ParkedMessages) -> None:
    other = ParkedMessages(engine, CHANNEL)
    first = lease(parked)
    assert (first.message, lease(other).message, other.lease()) == (b"a", b"c", None)
    assert parked.has("b1")
    parked.settle(first, None)
    assert (lease(other).message, other.lease()) == (b"b", None)


def test_consumers_at_once_lease_each_message_once(engine: Engine) -> None:
    expected = [f"b{number}".encode() for number in range(40)]
    for message in expected:
        ParkedMessages(engine, CHANNEL).park(message.decode(), message, None)
    found, start = list[bytes](), threading.Barrier(4)

    def consume() -> None:
        parked = ParkedMessages(engine, CHANNEL)
        start.wait()
        while leased := parked.lease():
            found.append(leased.message)

    threads = [threading.Thread(target=consume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(expected)


def test_a_message_is_due_again_after_its_lease(engine: Engine, parked: ParkedMessages) -> None:
    """Its consumer may have died."""
    assert lease(parked).message == b"a"
    end_leases(engine)
    assert lease(parked).message == b"a"


def test_an_ended_lease_settles_nothing(engine: Engine, parked: ParkedMessages) -> None:
    """The other consumer may still execute the message. Later ones about its batch must wait for it."""
    first = lease(parked)
    end_leases(engine)
    second = lease(parked)
    parked.settle(first, None)
    parked.release(first)
    assert parked.settle(first, "late") is None
    assert messages(engine) == [b"a", b"b", b"c"]
    assert letters(engine)[0].attempts == 1
    failure = parked.settle(second, "a bug")
    assert failure is not None
    assert (failure.attempts, failure.is_dead) == (2, True)
    assert (lease(parked).message, parked.lease()) == (b"c", None), "a dead letter holds back its batch"


def test_a_retry_by_an_operator_keeps_the_lease(engine: Engine, parked: ParkedMessages) -> None:
    first = lease(parked)
    with engine.begin() as connection:
        assert mark_for_retry(connection, Selection(ids=[first.id])) == [first.id]
    assert (lease(parked).message, parked.lease()) == (b"c", None)
    parked.settle(first, None)
    assert lease(parked).message == b"b"


def test_the_counts_of_the_letters_need_only_an_index(engine: Engine, database_url: str) -> None:
    with engine.begin() as connection:
        # Otherwise VACUUM may not know yet that the rows are visible to all, and the plan depends on that.
        connection.execute(text("SET LOCAL synchronous_commit = on"))
        connection.execute(INSERT_WAITING)
        assert counts(connection) == {f"channel {number}": Counts(0, 1000, 0) for number in range(3)}
    direct = create_postgres_engine(database_url, direct=True).execution_options(isolation_level="AUTOCOMMIT")
    with direct.connect() as connection:
        connection.execute(text("VACUUM ANALYZE dead_letters"))
        plan = "\n".join(connection.execute(text(f"EXPLAIN {READ_COUNTS}")).scalars())
    direct.dispose()
    assert "Index Only Scan using dead_letters_states" in plan, plan
