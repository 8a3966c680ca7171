"""A handler may ask only for names that its lock set declares. Any other name raises NotDeclared.

Without this error, the handler would treat a row that its unit of work has not read as a row that does not exist.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from allocation.domain.commands import Allocate, AllocateOrder, Command, CreateBatch
from allocation.domain.model import OrderLine
from allocation.domain.product import Product
from allocation.service_layer.handlers import COMMAND_HANDLERS
from allocation.service_layer.unit_of_work import LockSet, NotDeclared, Products
from tests.support.service_layer.shop import Shop

S, O1, B1 = frozenset(["S"]), frozenset(["o1"]), frozenset(["b1"])
LINE = frozenset([("o1", "S")])
OTHERS = LockSet(
    skus=frozenset(["T"]),
    lines=frozenset([("o2", "T")]),
    batches=frozenset(["b2"]),
    new_skus=frozenset(["T"]),
    owners_of=frozenset(["b2"]),
    orders=frozenset(["o2"]),
)

Ask = Callable[[Products], object]


def get(products: Products) -> object:
    return products.get("S")


def get_or_create(products: Products) -> object:
    return products.get_or_create("S")


def get_by_batchref(products: Products) -> object:
    return products.get_by_batchref("b1")


def of_order(products: Products) -> object:
    return products.of_order("o1")


def batch(products: Products) -> object:
    return products.batch("b1")


@pytest.fixture
def shop() -> Shop:
    return Shop(CreateBatch("b1", "S", 10), Allocate("o1", "S", 4), CreateBatch("b2", "T", 10), Allocate("o2", "T", 1))


@pytest.mark.parametrize(
    ("ask", "locks"),
    [
        (get, LockSet(skus=S)),
        (get_or_create, LockSet(skus=S, new_skus=S)),
        (get_by_batchref, LockSet(owners_of=B1)),
        (of_order, LockSet(orders=O1)),
        (batch, LockSet(batches=B1)),
    ],
)
def test_repository_finds_what_the_lock_set_declares(shop: Shop, ask: Ask, locks: LockSet) -> None:
    with shop.store.begin(locks) as uow:
        assert ask(uow.products)


@pytest.mark.parametrize("ask", [get, get_or_create, get_by_batchref, of_order, batch])
@pytest.mark.parametrize("locks", [LockSet(), OTHERS], ids=["nothing is declared", "other names are declared"])
def test_repository_raises_when_a_name_is_not_declared(shop: Shop, ask: Ask, locks: LockSet) -> None:
    with shop.store.begin(locks) as uow, pytest.raises(NotDeclared, match=r"'(S|o1|b1)' is not in the lock set"):
        ask(uow.products)


@pytest.mark.parametrize(
    ("ask", "locks"),
    [
        pytest.param(get, LockSet(lines=LINE), id="get: only a line is declared"),
        pytest.param(get_by_batchref, LockSet(batches=B1), id="get_by_batchref: only the batch is declared"),
        pytest.param(of_order, LockSet(skus=S, lines=LINE), id="of_order: only a line is declared"),
        pytest.param(batch, LockSet(owners_of=B1), id="batch: only the owner is declared"),
    ],
)
def test_repository_raises_when_only_a_related_name_is_declared(shop: Shop, ask: Ask, locks: LockSet) -> None:
    with shop.store.begin(locks) as uow, pytest.raises(NotDeclared):
        ask(uow.products)


def test_repository_raises_when_a_new_sku_is_not_declared(shop: Shop) -> None:
    with shop.store.begin(LockSet(skus=frozenset(["NEW"]))) as uow, pytest.raises(NotDeclared, match="'NEW'"):
        uow.products.get_or_create("NEW")


def test_repository_finds_nothing_under_unknown_declared_names() -> None:
    locks = LockSet(skus=S, lines=LINE, batches=B1, owners_of=B1, orders=O1)
    with Shop().store.begin(locks) as uow:
        assert [ask(uow.products) for ask in (get, get_by_batchref, batch)] == [None] * 3
        assert uow.products.of_order("o1") == []


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda product: product.allocate(OrderLine("o1", "S", 4)), id="allocate"),
        pytest.param(lambda product: product.can_allocate(OrderLine("o1", "S", 4)), id="can_allocate"),
        pytest.param(lambda product: product.deallocate("o1"), id="deallocate"),
        pytest.param(lambda product: product.change_line_quantity("o1", 5), id="change_line_quantity"),
        pytest.param(lambda product: product.ship("o1"), id="ship"),
    ],
)
@pytest.mark.parametrize("locks", [LockSet(skus=S), replace(OTHERS, skus=S)], ids=["no line", "another line"])
def test_product_raises_when_a_line_is_not_declared(
    shop: Shop, act: Callable[[Product], object], locks: LockSet
) -> None:
    """The line is on batch b1, but this unit of work has not read it. The product must not allocate it again."""
    with shop.store.begin(locks) as uow:
        product = uow.products.get("S")
        assert product is not None
        with pytest.raises(NotDeclared, match=r"\('o1', 'S'\) is not in the lock set"):
            act(product)
        assert uow.commit().events == []
    assert shop.available() == {"b1": 6, "b2": 9}
    assert shop.line("o1") == (4, "allocated", "b1")


@pytest.mark.parametrize("locks", [LockSet(skus=S, lines=LINE), LockSet(skus=S, orders=O1)], ids=["line", "order"])
def test_product_finds_a_line_of_a_declared_line_or_order(shop: Shop, locks: LockSet) -> None:
    with shop.store.begin(locks) as uow:
        product = uow.products.get("S")
        assert product is not None
        product.allocate(OrderLine("o1", "S", 4))
        assert (uow.changes.events, len(uow.changes.repeated)) == ([], 1)


@pytest.mark.parametrize("command", [Allocate("o1", "S", 4), AllocateOrder("o1", (("S", 4),))], ids=["line", "order"])
def test_bus_raises_when_a_handler_declares_too_little(
    shop: Shop, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NotDeclared is not a Refusal: AllocateOrder must not report it as a refused line and commit the others."""
    without_line = replace(COMMAND_HANDLERS[type(command)], locks=lambda command: LockSet(skus=S))
    monkeypatch.setitem(COMMAND_HANDLERS, type(command), without_line)
    with pytest.raises(NotDeclared):
        shop.handle(command)
    assert shop.event_types() == ["BatchCreated", "Allocated"] * 2
