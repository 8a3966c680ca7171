"""Old idempotency keys are deleted, a few at a time."""

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres import idempotency
from allocation.adapters.postgres.idempotency import delete_old_keys
from allocation.domain.commands import Allocate, CreateBatch
from allocation.entrypoints.relay.key_expiry import KeyExpiry
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from allocation.shutdown import Shutdown
from tests.support.adapters.requests import keyed
from tests.support.eventually import eventually


def store_keys(bus: MessageBus, engine: Engine, old: int) -> None:
    """Store keys k0, k1, … for allocations. The first `old` ones are an hour old, and the last one is new."""
    bus.handle(CreateBatch("b1", "S", 100))
    list(bus.handle_requests(keyed(f"k{n}", Allocate(f"o{n}", "S", 1)) for n in range(old + 1)))
    with engine.begin() as connection:
        age = text("UPDATE idempotency_keys SET created_at = now() - interval '1 hour' WHERE key < :new")
        connection.execute(age, {"new": f"k{old}"})


def stored_keys(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT key FROM idempotency_keys")).scalars())


def test_old_keys_are_deleted_in_small_steps(bus: MessageBus, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "DELETED_AT_ONCE", 2)
    store_keys(bus, engine, old=5)
    assert [delete_old_keys(engine, 3_599) for _ in range(4)] == [2, 2, 1, 0]
    assert stored_keys(engine) == {"k5"}
    reused = keyed("k0", Allocate("o9", "S", 1))
    assert list(bus.handle_requests([reused])) == [Done()], "A deleted key must work as a new one"


def test_relay_deletes_old_keys(bus: MessageBus, engine: Engine) -> None:
    store_keys(bus, engine, old=2)
    shutdown = Shutdown()
    expiry = KeyExpiry(engine, 3_000, shutdown, every=0.01)
    expiry.start()
    try:
        eventually(lambda: stored_keys(engine) == {"k2"})
    finally:
        shutdown.request()
        expiry.join()
    assert expiry.failure is None
