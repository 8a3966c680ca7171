"""The round trips to PostgreSQL that each kind of command needs. The tests count what really travels."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres import statements
from allocation.components import create_message_bus, leave_to_relay
from allocation.domain import commands
from allocation.domain.commands import Allocate, CreateBatch
from allocation.domain.errors import UnknownSku
from allocation.service_layer import handlers
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import UnitOfWork
from tests.support.adapters.requests import keyed
from tests.support.adapters.round_trips import recorded_engine

Work = Callable[[MessageBus], object]

TRIPS: dict[str, tuple[int, Work]] = {
    "allocate": (2, lambda bus: bus.handle(Allocate("o9", "S", 1))),
    "a-line-that-waits": (2, lambda bus: bus.handle(Allocate("o9", "S", 1_000))),
    "a-new-batch": (2, lambda bus: bus.handle(CreateBatch("b9", "S", 1))),
    "a-new-product": (2, lambda bus: bus.handle(CreateBatch("b9", "NEW", 1))),
    "a-batch-that-grows": (2, lambda bus: bus.handle(commands.ChangeBatchQuantity("b1", 200))),
    "a-batch-that-shrinks": (3, lambda bus: bus.handle(commands.ChangeBatchQuantity("b1", 0))),
    "an-order": (2, lambda bus: bus.handle(commands.AllocateOrder("o9", (("S", 1), ("T", 1))))),
    "a-cancelled-order": (2, lambda bus: bus.handle(commands.CancelOrder("o1"))),
    "a-key": (3, lambda bus: list(bus.handle_requests([keyed("k9", Allocate("o9", "S", 1))]))),
    "a-repeat": (3, lambda bus: bus.handle(Allocate("o1", "S", 1))),
    "a-repeated-key": (4, lambda bus: list(bus.handle_requests([keyed("k1", Allocate("o2", "S", 1))]))),
    "a-preview": (2, lambda bus: bus.preview(Allocate("o9", "S", 1))),
    "a-hundred-commands": (2, lambda bus: list(bus.handle_all(Allocate(f"x{n}", "ST"[n % 2], 1) for n in range(100)))),
}


@pytest.fixture
def recorded(database_url: str) -> Iterator[tuple[MessageBus, list[str]]]:
    """Yield a bus, and the strings that it has sent since the products exist and the session is open."""
    with recorded_engine(database_url) as (engine, strings):
        bus = create_message_bus(engine, leave_to_relay)
        assert set(bus.handle_all([CreateBatch("b1", "S", 100), CreateBatch("b2", "T", 100)])) == {Done()}
        bus.handle(Allocate("o1", "S", 1))
        assert list(bus.handle_requests([keyed("k1", Allocate("o2", "S", 1))])) == [Done()]
        strings.clear()
        yield bus, strings


@pytest.mark.parametrize("name", TRIPS)
def test_command_needs_few_round_trips(name: str, recorded: tuple[MessageBus, list[str]]) -> None:
    bus, strings = recorded
    trips, work = TRIPS[name]
    work(bus)
    assert len(strings) == trips, strings
    assert strings[0].startswith("BEGIN ISOLATION LEVEL READ COMMITTED;")
    assert strings[-1].endswith(("COMMIT", f"COMMIT;\n{statements.READ_OWN_POSITION}", "ROLLBACK"))


def test_refused_command_needs_two_round_trips(recorded: tuple[MessageBus, list[str]]) -> None:
    bus, strings = recorded
    with pytest.raises(UnknownSku):
        bus.handle(Allocate("o9", "GHOST", 1))
    assert strings[1:] == ["ROLLBACK"]


def test_bug_between_lock_and_write_leaves_the_row_free(
    database_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool has only this session. In autocommit, it would pass on the open transaction with its locks."""

    def fail(command: Allocate, uow: UnitOfWork) -> None:
        assert uow.products.get(command.sku)
        raise ZeroDivisionError

    with recorded_engine(database_url) as (recorded, strings):
        bus = create_message_bus(recorded, leave_to_relay)
        bus.handle(CreateBatch("b1", "S", 100))
        strings.clear()
        failing = handlers.Handler(fail, handlers.locks_of_line)
        with monkeypatch.context() as patch:
            patch.setitem(handlers.COMMAND_HANDLERS, Allocate, failing)
            with pytest.raises(ZeroDivisionError):
                bus.handle(Allocate("o1", "S", 1))
        assert "FOR NO KEY UPDATE" in strings[0], "the transaction had locked the product"
        with engine.begin() as connection:
            connection.execute(text("SELECT FROM products WHERE sku = 'S' FOR UPDATE NOWAIT"))
        bus.handle(Allocate("o1", "S", 1))


@pytest.mark.parametrize("part", ["lock", "write"])
def test_failed_string_leaves_the_row_free(
    part: str, database_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL skips the rest of a string after an error, also its COMMIT."""
    with recorded_engine(database_url) as (recorded, _):
        bus = create_message_bus(recorded, leave_to_relay)
        bus.handle(CreateBatch("b1", "S", 100))
        name = "READ_STATE" if part == "lock" else "APPEND_EVENTS"
        with monkeypatch.context() as patch:
            patch.setattr(statements, name, "SELECT 1 / 0")
            with pytest.raises(Exception, match="division by zero"):
                bus.handle(Allocate("o1", "S", 1))
        with engine.begin() as connection:
            connection.execute(text("SELECT FROM products WHERE sku = 'S' FOR UPDATE NOWAIT"))
            assert connection.execute(text("SELECT count(*) FROM order_lines")).scalar_one() == 0
        bus.handle(Allocate("o1", "S", 1))
