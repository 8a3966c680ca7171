"""Requests with the same idempotency key wait for the first one, but not forever. Only the first executes."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.engine import TIMEOUTS, create_postgres_engine
from allocation.components import create_message_bus, leave_to_relay
from allocation.domain.commands import Allocate, CreateBatch
from allocation.domain.errors import UnknownSku
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.idempotency import KeyReused, StillRunning
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from tests.model.oracle import assert_the_state_is_sound
from tests.support.adapters.requests import keyed
from tests.support.adapters.round_trips import recorded_engine
from tests.support.adapters.waits import waiting
from tests.support.eventually import eventually

FIRST = Allocate("o1", "S", 4)


@contextmanager
def in_use(engine: Engine, *requests: CommandRequest) -> Iterator[None]:
    """Hold the keys of the requests in another session, as if their first requests were running."""
    insert = text("INSERT INTO idempotency_keys VALUES (:scope, :key, 'x')")
    with engine.connect() as connection:
        for request in requests:
            assert request.key is not None
            connection.execute(insert, {"scope": request.key.scope, "key": request.key.value})
        yield


@pytest.fixture
def impatient(database_url: str) -> Iterator[Engine]:
    """An engine whose transactions wait at most 50 ms for a lock."""
    engine = create_postgres_engine(database_url, connections=2, timeouts=TIMEOUTS | {"lock_timeout": "50ms"})
    yield engine
    engine.dispose()


def test_repeat_locks_no_product(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    assert list(bus.handle_requests([keyed("k1", FIRST)])) == [Done()]
    with engine.begin() as connection:
        connection.execute(text("SELECT FROM products FOR UPDATE"))
        assert list(bus.handle_requests([keyed("k1", FIRST)])) == [Done()]


def test_repeats_wait_for_the_outcome_of_a_running_request(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    request, other_body = keyed("k1", FIRST), keyed("k1", Allocate("o2", "S", 1))
    buses = [create_message_bus(engine, leave_to_relay) for _ in range(4)]
    with ThreadPoolExecutor() as pool, engine.connect() as connection:
        connection.execute(text("SELECT FROM products WHERE sku = 'S' FOR UPDATE"))
        futures = [pool.submit(bus.execute, request) for bus in buses]
        eventually(lambda: waiting(engine, "INSERT INTO idempotency_keys") > 0)
        connection.rollback()
        assert [future.result() for future in futures] == [Done()] * 4
    assert isinstance(bus.execute(other_body), KeyReused)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM order_lines")).scalar_one() == 1


def test_repeat_is_still_running_when_its_wait_is_too_long(bus: MessageBus, engine: Engine, impatient: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    bus.handle(CreateBatch("t1", "T", 10))
    impatient_bus = create_message_bus(impatient, leave_to_relay)
    requests = [keyed("k1", FIRST), keyed("k2", Allocate("o2", "T", 1)), keyed("k3", Allocate("o3", "X", 1))]
    with in_use(engine, requests[0]):
        found = [type(outcome) for outcome in impatient_bus.handle_requests(requests)]
        assert found == [StillRunning, Done, UnknownSku], "Each request must get its own outcome"
        with pytest.raises(StillRunning, match="still running"):
            impatient_bus.handle(requests[0].command, requests[0].key)
    assert list(bus.handle_requests([requests[0]])) == [Done()]


def test_group_waits_only_once_for_keys_that_are_in_use(bus: MessageBus, engine: Engine, database_url: str) -> None:
    """If the group waited for each key in turn, the waits would add up."""
    list(bus.handle_all([CreateBatch("b1", "S", 100), CreateBatch("t1", "T", 100)]))
    held = [keyed(f"k{n}", Allocate(f"o{n}", "S", 1)) for n in range(30)]
    free = [keyed(f"t{n}", Allocate(f"o{n}", "T", 1)) for n in range(30)]
    with in_use(engine, *held), recorded_engine(database_url, lock_timeout="50ms") as (impatient, seen):
        found = list(create_message_bus(impatient, leave_to_relay).handle_requests([*held, *free]))
        assert [type(outcome) for outcome in found] == [StillRunning] * 30 + [Done] * 30
    inserts = [statement for statement in seen if "INSERT INTO idempotency_keys" in statement]
    patient = [statement for statement in inserts if "SET LOCAL lock_timeout = '10ms'" not in statement]
    assert len(patient) == 2, "The group waits once, and then one request. The others must not wait for their keys"


def test_waiting_request_executes_when_the_first_rolls_back(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    request = keyed("k1", FIRST)
    with engine.begin() as first:
        first.execute(text("INSERT INTO idempotency_keys VALUES ('- /allocate', 'k1', 'x')"))
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(lambda: list(bus.handle_requests([request])))
            eventually(lambda: waiting(engine, "INSERT INTO idempotency_keys") == 1)
            first.rollback()
            assert second.result() == [Done()]
    assert_the_state_is_sound(engine)


def test_concurrent_repeats_in_any_order_execute_once(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 100))
    requests = [keyed(f"k{n}", Allocate(f"o{n}", "S", 1)) for n in range(60)]
    barrier = threading.Barrier(6)

    def send(client: int) -> list[object]:
        barrier.wait()
        rotated = requests[10 * client :] + requests[: 10 * client]
        return list(bus.handle_requests(rotated if client % 2 else reversed(rotated)))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(send, range(6))) == [[Done()] * 60] * 6
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM events")).scalar_one() == 61
    assert_the_state_is_sound(engine)
