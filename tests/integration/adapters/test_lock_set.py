"""A unit of work gives access only to what its lock set names. The fake refuses what PostgreSQL refuses.

Otherwise a handler could change a row that it has not locked. Or it could treat a row that it has not read as missing.
"""

from collections.abc import Callable

import pytest

from allocation.domain.commands import Allocate, CreateBatch
from allocation.domain.model import OrderLine
from allocation.domain.product import Product
from allocation.service_layer.unit_of_work import LockSet, NotDeclared, Products
from tests.support.service_layer.subjects import Subject, stores_with_a_log

Ask = Callable[[Products], object]

EVERYTHING_OF_S = LockSet(
    skus=frozenset(["S"]),
    lines=frozenset([("o1", "S")]),
    batches=frozenset(["b1"]),
    new_skus=frozenset(["S"]),
    owners_of=frozenset(["b1"]),
    orders=frozenset(["o1"]),
)


def get(sku: str) -> Ask:
    return lambda products: products.get(sku)


def get_or_create(sku: str) -> Ask:
    return lambda products: products.get_or_create(sku)


def get_by_batchref(ref: str) -> Ask:
    return lambda products: products.get_by_batchref(ref)


def of_order(orderid: str) -> Ask:
    return lambda products: products.of_order(orderid)


def batch(ref: str) -> Ask:
    return lambda products: products.batch(ref)


def product_s(products: Products) -> Product:
    product = products.get("S")
    assert product is not None
    return product


def allocate(orderid: str) -> Ask:
    return lambda products: product_s(products).allocate(OrderLine(orderid, "S", 1))


def can_allocate(orderid: str) -> Ask:
    return lambda products: product_s(products).can_allocate(OrderLine(orderid, "S", 1))


def deallocate(orderid: str) -> Ask:
    return lambda products: product_s(products).deallocate(orderid)


@pytest.fixture
def filled(subject: Subject) -> Subject:
    """A store with batch b1 and lines o1 and o2 of SKU S, and with batch t1 of SKU T."""
    subject.commit(
        CreateBatch("b1", "S", 10), CreateBatch("t1", "T", 10), Allocate("o1", "S", 1), Allocate("o2", "S", 1)
    )
    return subject


@stores_with_a_log
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(get("T"), id="get"),
        pytest.param(get("X"), id="get-unknown"),
        pytest.param(get_or_create("T"), id="get_or_create"),
        pytest.param(get_or_create("X"), id="get_or_create-unknown"),
        pytest.param(get_by_batchref("t1"), id="get_by_batchref"),
        pytest.param(get_by_batchref("x1"), id="get_by_batchref-unknown"),
        pytest.param(of_order("o2"), id="of_order"),
        pytest.param(of_order("o9"), id="of_order-unknown"),
        pytest.param(batch("t1"), id="batch"),
        pytest.param(batch("x1"), id="batch-unknown"),
        pytest.param(allocate("o2"), id="allocate"),
        pytest.param(allocate("o9"), id="allocate-unknown"),
        pytest.param(can_allocate("o2"), id="can_allocate"),
        pytest.param(deallocate("o2"), id="deallocate"),
    ],
)
def test_products_raise_not_declared_for_other_names(ask: Ask, filled: Subject) -> None:
    with filled.begin(EVERYTHING_OF_S) as uow, pytest.raises(NotDeclared):
        ask(uow.products)


@stores_with_a_log
@pytest.mark.parametrize(
    ("locks", "ask"),
    [
        pytest.param(LockSet(new_skus=frozenset(["S"])), get("S"), id="get-of-new_skus"),
        pytest.param(LockSet(skus=frozenset(["X"])), get_or_create("X"), id="get_or_create-of-skus"),
        pytest.param(LockSet(batches=frozenset(["b1"])), get_by_batchref("b1"), id="get_by_batchref-of-batches"),
        pytest.param(
            LockSet(skus=frozenset(["S"]), lines=frozenset([("o1", "S")])), of_order("o1"), id="of_order-of-lines"
        ),
        pytest.param(LockSet(owners_of=frozenset(["b1"])), batch("b1"), id="batch-of-owners_of"),
        pytest.param(LockSet(skus=frozenset(["S"])), allocate("o1"), id="allocate-of-skus"),
        pytest.param(
            LockSet(skus=frozenset(["S"]), lines=frozenset([("o1", "T")])), allocate("o1"), id="allocate-of-another-sku"
        ),
    ],
)
def test_products_raise_not_declared_for_another_member(locks: LockSet, ask: Ask, filled: Subject) -> None:
    """Each member of a lock set permits its own method and no other."""
    with filled.begin(locks) as uow, pytest.raises(NotDeclared):
        ask(uow.products)


@stores_with_a_log
def test_products_return_what_the_lock_set_names(filled: Subject) -> None:
    with filled.begin(EVERYTHING_OF_S) as uow:
        product = uow.products.get("S")
        assert product is not None
        assert uow.products.get_or_create("S") is product
        assert uow.products.get_by_batchref("b1") is product
        assert uow.products.of_order("o1") == [product]
        found = uow.products.batch("b1")
        assert found is not None
        assert found.ref == "b1"
        product.allocate(OrderLine("o1", "S", 1))


@stores_with_a_log
def test_products_return_none_for_declared_unknown_names(filled: Subject) -> None:
    unknown = LockSet(
        skus=frozenset(["X"]), batches=frozenset(["x1"]), owners_of=frozenset(["x1"]), orders=frozenset(["o9"])
    )
    with filled.begin(unknown) as uow:
        assert uow.products.get("X") is None
        assert uow.products.get_by_batchref("x1") is None
        assert uow.products.batch("x1") is None
        assert list(uow.products.of_order("o9")) == []
