"""The continuous verification survives lost stores, lost views, rebuilds and a second relay."""

from collections import Counter
from typing import NoReturn

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.checks.verification_lock import VERIFICATION_LOCK
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate
from allocation.entrypoints.relay.verification import continuous_verification
from allocation.event_handlers import PROJECTION
from allocation.local.ports import free_port
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import StoreUnavailable
from readmodel.projector.rebuild import rebuild
from readmodel.projector.verification import differences
from readmodel.store.client import redis_client
from readmodel.store.names import PLAIN
from readmodel.store.records.drift import corrected_registers
from readmodel.store.store import Store
from readmodel.views.orders import order_key
from tests.support.eventually import eventually
from tests.support.readmodel.continuous_verification import verify_everything, verifying, verifying_relay
from tests.support.readmodel.damages import LINE, ORGANISATION, Damage
from tests.support.readmodel.rebuilds import fingerprint, follow_to_the_end

INTERRUPTED = "The continuous verification is interrupted, and the relay retries: "
WORKS_AGAIN = "The continuous verification works again after "
GHOST = order_key("never")


@pytest.fixture(autouse=True)
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuous_verification, "PAUSE", 0.05)


def test_the_thread_survives_a_flush_and_a_rebuild(
    shop: Store, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """The relay rebuilds the views. The flush resets the number of corrections."""
    caplog.set_level("INFO")
    before = fingerprint(shop)
    with verifying_relay(shop, engine) as thread:
        shop.redis.hdel(f"{shop.generations().live}:{LINE}", "S")
        eventually(lambda: corrected_registers(shop.redis, PLAIN) == 1)
        shop.redis.flushdb()
        eventually(lambda: WORKS_AGAIN in caplog.text)
        verify_everything(thread)
        shop.redis.hdel(f"{shop.generations().live}:{LINE}", "S")
        eventually(lambda: fingerprint(shop) == before)
        eventually(lambda: corrected_registers(shop.redis, PLAIN) == 1)
    lines = Counter(message for message in caplog.messages if message.startswith(INTERRUPTED))
    assert set(lines.values()) == {1}, "each reason is logged once"


def test_the_thread_goes_on_with_the_generation_of_a_rebuild(
    shop: Store, engine: Engine, log: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    before, first = fingerprint(shop), shop.generations().live
    with verifying(shop, engine) as thread:
        for _ in range(5):
            rebuild(shop, log, PROJECTION)
        verify_everything(thread)
        assert corrected_registers(shop.redis, PLAIN) == 0
        shop.redis.hset(f"{shop.generations().live}:{GHOST}", "S", "1 {}")
        eventually(lambda: corrected_registers(shop.redis, PLAIN) == 1)
    assert shop.generations().live != first
    assert fingerprint(shop) == before


@pytest.mark.parametrize("damage", [damage for damage, _ in ORGANISATION.values()], ids=ORGANISATION)
def test_the_thread_waits_while_a_cursor_or_the_log_is_wrong(
    damage: Damage, shop: Store, engine: Engine, log: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    """The relay rebuilds the views. Here, the test does that."""
    caplog.set_level("INFO")
    live = shop.generations().live or ""
    damage(shop.redis, live)
    shop.redis.hdel(f"{live}:{LINE}", "S")
    shop.redis.hset(f"{live}:{GHOST}", "S", "1 {}")
    with verifying(shop, engine) as thread:
        eventually(lambda: INTERRUPTED in caplog.text)
        assert corrected_registers(shop.redis, PLAIN) == 0
        assert not shop.redis.hexists(f"{live}:{LINE}", "S")
        rebuild(shop, log, PROJECTION)
        eventually(lambda: WORKS_AGAIN in caplog.text)
        verify_everything(thread)
    assert corrected_registers(shop.redis, PLAIN) == 0


def test_the_thread_removes_no_ghost_of_another_history(
    shop: Store, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise it would empty the views that a relay of another database has made."""
    live = shop.generations().live or ""
    ORGANISATION["another log"][0](shop.redis, live)
    shop.redis.hset(f"{live}:{GHOST}", "S", "1 {}")
    with verifying(shop, engine):
        eventually(lambda: f"{INTERRUPTED}the database has another history" in caplog.text)
    assert shop.redis.hexists(f"{live}:{GHOST}", "S")


def test_the_thread_corrects_nothing_on_a_standby(
    shop: Store, engine: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standby may lack commits that the views show."""

    def refuse(*_: object) -> NoReturn:
        raise StoreUnavailable("the database is a standby")

    monkeypatch.setattr(EventLog, "history", refuse)
    live = shop.generations().live
    newer = '999 {"qty":4,"status":"shipped","batchref":"b1"}'
    shop.redis.hset(f"{live}:{LINE}", "S", newer)
    with verifying(shop, engine):
        eventually(lambda: f"{INTERRUPTED}the database is a standby" in caplog.text)
    assert shop.redis.hget(f"{live}:{LINE}", "S") == newer


def test_the_thread_waits_for_views_that_lag(
    shop: Store,
    engine: Engine,
    bus: MessageBus,
    log: EventLog,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The position of the log's end changes, but the reason stays the same."""
    caplog.set_level("INFO")
    monkeypatch.setattr(differences, "SHOWN_WITHIN", 0.1)
    with verifying(shop, engine) as thread:
        bus.handle(Allocate("late", "S", 1))
        eventually(lambda: f"{INTERRUPTED}the views lag behind the log" in caplog.text)
        follow_to_the_end(shop, log)
        eventually(lambda: WORKS_AGAIN in caplog.text)
        verify_everything(thread)
    assert corrected_registers(shop.redis, PLAIN) == 0


def test_the_thread_survives_a_lost_database_connection(
    shop: Store, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """The lock is lost with the connection, so the thread acquires it again."""
    caplog.set_level("INFO")
    with verifying(shop, engine) as thread:
        verify_everything(thread)
        [first] = holders_of_the_lock(engine)
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})
        eventually(lambda: WORKS_AGAIN in caplog.text)
        [second] = holders_of_the_lock(engine)
        verify_everything(thread)
    assert first != second


def test_the_thread_waits_while_redis_is_unavailable(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    unavailable = Store(redis_client(f"redis://127.0.0.1:{free_port()}/0"))
    with verifying(unavailable, engine) as thread:
        eventually(lambda: INTERRUPTED in caplog.text)
        assert thread.is_alive()


def test_only_one_of_two_relays_verifies(shop: Store, engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """When the first one ends, the second one takes over."""
    with verifying(shop, engine) as first:
        verify_everything(first)
        with verifying(shop, engine) as second:
            for _ in range(5):
                verify_everything(first)
            assert second.rounds == 0
            first.shutdown.request()
            verify_everything(second)
            first.join()
            assert len(holders_of_the_lock(engine)) == 1
    assert caplog.messages == []


def holders_of_the_lock(engine: Engine) -> list[int]:
    """Return the process ids of the sessions that hold the lock of the verification in this database."""
    query = text("""
        SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND (classid::bigint << 32 | objid::bigint) = :key
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """)
    with engine.connect() as connection:
        return list(connection.execute(query, {"key": VERIFICATION_LOCK}).scalars())
