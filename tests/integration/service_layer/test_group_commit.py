"""Commands of many threads share commits on PostgreSQL. Plain SQL judges the result."""

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

from sqlalchemy import Engine, text

from allocation import components
from allocation.domain.commands import Allocate, Command, CreateBatch, Deallocate
from allocation.domain.errors import LineConflict, UnknownLine, UnknownSku
from allocation.event_handlers import PROJECTION
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done, Outcome
from readmodel.projector.fast_path import FastPath
from readmodel.store.store import Store
from tests.model.oracle import assert_the_state_is_sound, views_are_the_state
from tests.support.adapters.round_trips import recorded_engine
from tests.support.adapters.waits import waiting
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.readmodel.counting import Counting
from tests.support.readmodel.stores import ConnectedStore

THREADS = 24


def outcome_of(bus: MessageBus, command: Command, key: IdempotencyKey | None = None) -> Outcome:
    try:
        return Done(bus.handle(command, key))
    except Exception as error:
        return error


def run_concurrently(bus: MessageBus, commands: Sequence[Command]) -> list[Outcome]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda command: outcome_of(bus, command), commands))


def count_transactions(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(DISTINCT transaction) FROM events")).scalar_one())


def test_commands_share_commits_and_keep_their_own_outcomes(
    projecting_bus: MessageBus, engine: Engine, model: Store
) -> None:
    bus = projecting_bus
    list(bus.handle_all(CreateBatch(f"b{n}", f"S{n}", 60) for n in range(5)))
    before = count_transactions(engine)
    good: list[Command] = [Allocate(f"o{n}", "S0" if n % 2 else f"S{n % 5}", n % 3 + 1) for n in range(300)]
    conflicting: list[Command] = [Allocate(f"o{n}", "S0", 9) for n in range(1, 300, 20)]
    unknown: list[Command] = [Allocate(f"x{n}", "X", 1) for n in range(20)]
    commands = good * 2 + unknown
    Random(1).shuffle(commands)
    outcomes = run_concurrently(bus, commands)
    assert Counter(map(type, outcomes)) == {Done: 600, UnknownSku: 20}
    assert count_transactions(engine) - before < 150, "the commands must share commits"
    assert {type(outcome) for outcome in run_concurrently(bus, conflicting)} == {LineConflict}

    with engine.connect() as connection:
        lines = {row.orderid: (row.sku, row.qty) for row in connection.execute(text("SELECT * FROM order_lines"))}
    assert lines == {line.orderid: (line.sku, line.qty) for line in good if isinstance(line, Allocate)}
    assert_the_state_is_sound(engine)
    assert views_are_the_state(engine, model)


def test_a_group_of_100_costs_as_many_trips_as_one_command(database_url: str, model: Store) -> None:
    """Two to PostgreSQL, and one to Redis."""
    connection = Counting(model.redis)
    store = ConnectedStore(model.redis, connection)
    with recorded_engine(database_url) as (engine, strings):
        bus = components.create_message_bus(engine, FastPath(store, PROJECTION))
        list(bus.handle_all(CreateBatch(f"b{n}", f"S{n}", 10) for n in range(100)))

        def cost_of(orders: range) -> tuple[int, int]:
            strings.clear()
            connection.trips = 0
            assert set(bus.handle_all(Allocate(f"o{n}", f"S{n % 100}", 1) for n in orders)) == {Done()}
            return len(strings), connection.trips

        assert cost_of(range(1)) == cost_of(range(1, 101)) == (2, 1)


def test_concurrent_allocating_and_deallocating_stays_sound(
    projecting_bus: MessageBus, engine: Engine, model: Store
) -> None:
    bus = projecting_bus
    bus.handle(CreateBatch("b", "S", 40))
    commands: list[Command] = []
    for number in range(200):
        commands += [Allocate(f"o{number}", "S", 1), Deallocate(f"o{number}", "S"), CreateBatch(f"b{number}", "S", 1)]
    types = Counter(type(outcome) for outcome in run_concurrently(bus, commands))
    assert set(types) <= {Done, UnknownLine}
    assert count_transactions(engine) < 600, "the commands must share commits"
    assert_the_state_is_sound(engine)
    assert views_are_the_state(engine, model)


def test_a_key_from_many_threads_is_executed_once(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b", "S", 100))
    keys = [IdempotencyKey("- /allocate", f"k{n % 10}", f"f{n % 10}") for n in range(120)]
    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = list(pool.map(lambda key: outcome_of(bus, Allocate(f"o-{key.value}", "S", 1), key), keys))
    assert outcomes == [Done()] * 120
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM events WHERE type = 'Allocated'")).scalar_one() == 10
    assert_the_state_is_sound(engine)


def test_a_locked_product_delays_no_other_product(bus: MessageBus, engine: Engine) -> None:
    list(bus.handle_all(CreateBatch(f"b-{sku}", sku, 1_000) for sku in ("LOCKED", "A", "B")))
    barrier = threading.Barrier(12)

    def send(number: int) -> Outcome:
        barrier.wait()
        return outcome_of(bus, Allocate(f"o{number}", ("LOCKED", "A", "B")[number % 3], 1))

    with ThreadPoolExecutor(12) as pool, engine.connect() as other:
        other.execute(text("SELECT FROM products WHERE sku = 'LOCKED' FOR UPDATE"))
        outcomes = [pool.submit(send, number) for number in range(12)]
        free = [future for number, future in enumerate(outcomes) if number % 3]
        assert [future.result(PATIENCE) for future in free] == [Done()] * 8
        eventually(lambda: waiting(engine, "FOR NO KEY UPDATE") == 4)
        assert outcome_of(bus, Allocate("late", "A", 1)) == Done()
        other.rollback()
        assert [future.result(PATIENCE) for future in outcomes] == [Done()] * 12
    assert_the_state_is_sound(engine)


def test_a_locked_key_delays_no_other_command(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b", "S", 100))
    key = IdempotencyKey("- /allocate", "k", "f")
    with ThreadPoolExecutor(2) as pool, engine.connect() as other:
        other.execute(text("INSERT INTO idempotency_keys VALUES ('- /allocate', 'k', 'f')"))
        blocked = pool.submit(outcome_of, bus, Allocate("o1", "S", 1), key)
        eventually(lambda: waiting(engine, "idempotency_keys") == 1)
        assert outcome_of(bus, Allocate("o2", "S", 1)) == Done()
        assert not blocked.done()
        other.rollback()
        assert blocked.result(PATIENCE) == Done()
    assert_the_state_is_sound(engine)
