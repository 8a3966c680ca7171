"""The token of each kind of command makes a query wait for all its effects."""

from datetime import date

import pytest

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain import commands
from allocation.domain.commands import Allocate, AllocateOrder, ChangeBatchEta, CreateBatch
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from readmodel.store.reads.consistency import NotYet
from readmodel.store.store import Store
from tests.support.adapters.requests import keyed
from tests.support.readmodel.rebuilds import follow_to_the_end
from tests.support.readmodel.tokens import (
    ALLOCATIONS,
    ORDER,
    OTHER,
    Fetch,
    impatient,
    read,
    token_after,
    token_of,
)


def test_a_token_without_registers_waits_for_the_cursors(shop: MessageBus, model: Store, log: EventLog) -> None:
    skus = [f"T{number}" for number in range(10)]
    list(shop.handle_all(CreateBatch(f"b-{sku}", sku, 5) for sku in skus))
    token = token_after(shop, AllocateOrder("o1", tuple((sku, 1) for sku in skus)))
    assert not token.has_registers
    with pytest.raises(NotYet):
        read(impatient(model), token, OTHER)
    follow_to_the_end(model, log)
    assert len(read(impatient(model), token, ALLOCATIONS)) == 10


REPEATED: dict[str, tuple[list[commands.Command], Fetch]] = {
    "an allocation": ([Allocate("o1", "S", 1)], ORDER),
    "a batch that helped several orders": (
        [Allocate("o1", "S", 15), Allocate("o2", "S", 15), CreateBatch("b3", "S", 40)],
        ORDER,
    ),
    "an ETA before an allocation": (
        [ChangeBatchEta("b1", date(2029, 9, 9)), Allocate("o1", "S", 1), ChangeBatchEta("b1", date(2029, 9, 9))],
        ORDER,
    ),
}


@pytest.mark.parametrize("name", REPEATED)
def test_a_repeated_command_waits_for_all_effects(name: str, shop: MessageBus, model: Store, log: EventLog) -> None:
    """The log does not say which events the first command has caused. So the token has only their position."""
    first, fetch = REPEATED[name]
    for command in first:
        shop.handle(command)
    token = token_after(shop, first[-1])
    assert not token.has_registers
    with pytest.raises(NotYet):
        read(impatient(model), token, fetch)
    follow_to_the_end(model, log)
    assert read(impatient(model), token, fetch)


def test_a_repeated_key_waits_for_all_effects(shop: MessageBus, model: Store, log: EventLog) -> None:
    [first] = shop.handle_requests([keyed("k1", Allocate("o1", "S", 1))])
    [again] = shop.handle_requests([keyed("k1", Allocate("o1", "S", 1))])
    assert token_of(again).position == token_of(first).position
    with pytest.raises(NotYet):
        read(impatient(model), token_of(again), ORDER)


def test_a_repeat_that_a_later_command_changes_is_not_missed(shop: MessageBus, model: Store, log: EventLog) -> None:
    """The second command of the transaction frees stock for the line of the first one."""
    list(shop.handle_all([Allocate("o2", "S", 10), Allocate("o3", "S", 10), Allocate("o1", "S", 5)]))
    follow_to_the_end(model, log)
    changes = [commands.ChangeLineQuantity("o1", "S", 5), commands.ChangeLineQuantity("o2", "S", 1)]
    first, _ = map(token_of, shop.handle_all(changes))
    with pytest.raises(NotYet):
        read(impatient(model), first, ALLOCATIONS)
    follow_to_the_end(model, log)
    assert read(impatient(model), first, ALLOCATIONS) == [{"sku": "S", "batchref": "b1"}]


def test_a_command_without_an_effect_has_no_token(shop: MessageBus) -> None:
    [outcome] = shop.handle_all([AllocateOrder("o1", (("GHOST", 1),))])
    assert isinstance(outcome, Done)
    assert outcome.written is None


def test_commands_of_one_transaction_get_tokens_of_their_own(shop: MessageBus) -> None:
    first, second = map(token_of, shop.handle_all([Allocate("o1", "S", 1), Allocate("o2", "S", 2)]))
    assert first.position == second.position
    assert first.registers.keys() != second.registers.keys()


@pytest.mark.parametrize(("lines", "has_registers"), [(4, True), (5, False)])
def test_a_token_names_the_registers_of_four_lines(lines: int, has_registers: bool, shop: MessageBus) -> None:
    """docs/reference.md says so. Each line changes an order, a batch, and the totals and a batch of a product."""
    skus = [f"T{number}" for number in range(lines)]
    list(shop.handle_all(CreateBatch(f"b-{sku}", sku, 5) for sku in skus))
    token = token_after(shop, AllocateOrder("o1", tuple((sku, 1) for sku in skus)))
    assert token.has_registers is has_registers
