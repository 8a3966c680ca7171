"""Defines the handler and the lock set of each command."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allocation.domain import commands
from allocation.domain.errors import BatchConflict, OrderShipped, UnknownOrder
from allocation.domain.model import Batch, OrderLine, Status
from allocation.service_layer.allocate_order import allocate_order
from allocation.service_layer.outcomes import OrderResult
from allocation.service_layer.products_of import (
    BatchCommand,
    LineCommand,
    get_product,
    product_of_batch,
    product_of_line,
)
from allocation.service_layer.unit_of_work import LockSet, UnitOfWork


def create_batch(command: commands.CreateBatch, uow: UnitOfWork) -> None:
    existing = uow.products.batch(command.ref)
    if existing is not None and not existing.was_created_as(command.sku, command.qty, command.eta):
        raise BatchConflict(command.ref)
    product = uow.products.get_or_create(command.sku)
    if existing is None:
        product.add_batch(Batch.create(command.ref, command.sku, command.qty, command.eta))
    else:
        product.repeat_batch(existing)


def allocate(command: commands.Allocate, uow: UnitOfWork) -> None:
    product = get_product(command.sku, uow.products)
    product.allocate(OrderLine(command.orderid, command.sku, command.qty))


def deallocate(command: commands.Deallocate, uow: UnitOfWork) -> None:
    product_of_line(command, uow).deallocate(command.orderid)


def change_line_quantity(command: commands.ChangeLineQuantity, uow: UnitOfWork) -> None:
    product_of_line(command, uow).change_line_quantity(command.orderid, command.qty)


def ship(command: commands.Ship, uow: UnitOfWork) -> None:
    product_of_line(command, uow).ship(command.orderid)


def change_batch_quantity(command: commands.ChangeBatchQuantity, uow: UnitOfWork) -> None:
    product_of_batch(command, uow).change_batch_quantity(command.ref, command.qty)


def change_batch_eta(command: commands.ChangeBatchEta, uow: UnitOfWork) -> None:
    product_of_batch(command, uow).change_batch_eta(command.ref, command.eta)


def cancel_order(command: commands.CancelOrder, uow: UnitOfWork) -> None:
    products = uow.products.of_order(command.orderid)
    if not products:
        raise UnknownOrder(command.orderid)
    shipped = [product.sku for product in products if product.lines[command.orderid].status is Status.SHIPPED]
    if shipped:
        raise OrderShipped(command.orderid, shipped)
    for product in products:
        product.deallocate(command.orderid)


def locks_of_create_batch(command: commands.CreateBatch) -> LockSet:
    sku = frozenset([command.sku])
    return LockSet(skus=sku, batches=frozenset([command.ref]), new_skus=sku)


def locks_of_line(command: LineCommand) -> LockSet:
    return LockSet(skus=frozenset([command.sku]), lines=frozenset([(command.orderid, command.sku)]))


def locks_of_batch(command: BatchCommand) -> LockSet:
    return LockSet(owners_of=frozenset([command.ref]))


def locks_of_allocate_order(command: commands.AllocateOrder) -> LockSet:
    skus = frozenset(sku for sku, _ in command.lines)
    return LockSet(skus=skus, lines=frozenset((command.orderid, sku) for sku in skus))


def locks_of_cancel_order(command: commands.CancelOrder) -> LockSet:
    return LockSet(orders=frozenset([command.orderid]))


@dataclass(frozen=True, slots=True)
class Handler:
    """`handle` executes a command, or raises a Refusal before it changes anything. `locks` returns the lock set."""

    handle: Callable[[Any, UnitOfWork], OrderResult | None]
    locks: Callable[[Any], LockSet]


COMMAND_HANDLERS: dict[type[commands.Command], Handler] = {
    commands.CreateBatch: Handler(create_batch, locks_of_create_batch),
    commands.ChangeBatchQuantity: Handler(change_batch_quantity, locks_of_batch),
    commands.ChangeBatchEta: Handler(change_batch_eta, locks_of_batch),
    commands.Allocate: Handler(allocate, locks_of_line),
    commands.Deallocate: Handler(deallocate, locks_of_line),
    commands.ChangeLineQuantity: Handler(change_line_quantity, locks_of_line),
    commands.Ship: Handler(ship, locks_of_line),
    commands.AllocateOrder: Handler(allocate_order, locks_of_allocate_order),
    commands.CancelOrder: Handler(cancel_order, locks_of_cancel_order),
}
