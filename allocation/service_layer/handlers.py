from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allocation.domain import commands
from allocation.domain.errors import (
    BatchConflict,
    OrderShipped,
    UnknownBatch,
    UnknownLine,
    UnknownOrder,
    UnknownSku,
)
from allocation.domain.model import Batch, OrderLine, Status
from allocation.domain.product import Product
from allocation.service_layer.allocate_order import allocate_order
from allocation.service_layer.idempotency import Answer
from allocation.service_layer.unit_of_work import Keys, UnitOfWork


def create_batch(command: commands.CreateBatch, uow: UnitOfWork) -> None:
    known = uow.products.batch(command.ref)
    if known is not None and not known.was_created_as(command.sku, command.qty, command.eta):
        raise BatchConflict(command.ref)
    product = uow.products.get_or_create(command.sku)
    if known is None:
        product.add_batch(Batch.create(command.ref, command.sku, command.qty, command.eta))
    else:
        product.repeat(known)


def allocate(command: commands.Allocate, uow: UnitOfWork) -> None:
    product = uow.products.get(command.sku)
    if product is None:
        raise UnknownSku(command.sku)
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


LineCommand = commands.Allocate | commands.Deallocate | commands.ChangeLineQuantity | commands.Ship
BatchCommand = commands.ChangeBatchQuantity | commands.ChangeBatchEta


def product_of_line(command: LineCommand, uow: UnitOfWork) -> Product:
    product = uow.products.get(command.sku)
    if product is None:
        raise UnknownLine(command.orderid, command.sku)
    return product


def product_of_batch(command: BatchCommand, uow: UnitOfWork) -> Product:
    product = uow.products.get_by_batchref(command.ref)
    if product is None:
        raise UnknownBatch(command.ref)
    return product


def keys_of_create_batch(command: commands.CreateBatch) -> Keys:
    return Keys(skus=frozenset([command.sku]), refs=frozenset([command.ref]), new_skus=frozenset([command.sku]))


def keys_of_line(command: LineCommand) -> Keys:
    return Keys(skus=frozenset([command.sku]), lines=frozenset([(command.orderid, command.sku)]))


def keys_of_batch(command: BatchCommand) -> Keys:
    return Keys(owners_of=frozenset([command.ref]))


def keys_of_lines(command: commands.AllocateOrder) -> Keys:
    skus = frozenset(sku for sku, _ in command.lines)
    return Keys(skus=skus, lines=frozenset((command.orderid, sku) for sku in skus))


def keys_of_order(command: commands.CancelOrder) -> Keys:
    return Keys(orders=frozenset([command.orderid]))


@dataclass(frozen=True, slots=True)
class Handler:
    """`handle` returns what is to be answered, if anything; it raises a Refusal before it has changed anything."""

    handle: Callable[[Any, UnitOfWork], Answer]
    keys: Callable[[Any], Keys]


COMMAND_HANDLERS: dict[type[commands.Command], Handler] = {
    commands.CreateBatch: Handler(create_batch, keys_of_create_batch),
    commands.ChangeBatchQuantity: Handler(change_batch_quantity, keys_of_batch),
    commands.ChangeBatchEta: Handler(change_batch_eta, keys_of_batch),
    commands.Allocate: Handler(allocate, keys_of_line),
    commands.Deallocate: Handler(deallocate, keys_of_line),
    commands.ChangeLineQuantity: Handler(change_line_quantity, keys_of_line),
    commands.Ship: Handler(ship, keys_of_line),
    commands.AllocateOrder: Handler(allocate_order, keys_of_lines),
    commands.CancelOrder: Handler(cancel_order, keys_of_order),
}
