from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allocation.domain import commands
from allocation.domain.errors import BatchConflict, UnknownBatch, UnknownLine, UnknownSku
from allocation.domain.model import Batch, OrderLine
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
    product = uow.products.get(command.sku)
    if product is None:
        raise UnknownLine(command.orderid, command.sku)
    product.deallocate(command.orderid)


def change_batch_quantity(command: commands.ChangeBatchQuantity, uow: UnitOfWork) -> None:
    product = uow.products.get_by_batchref(command.ref)
    if product is None:
        raise UnknownBatch(command.ref)
    product.change_batch_quantity(command.ref, command.qty)


def change_batch_eta(command: commands.ChangeBatchEta, uow: UnitOfWork) -> None:
    product = uow.products.get_by_batchref(command.ref)
    if product is None:
        raise UnknownBatch(command.ref)
    product.change_batch_eta(command.ref, command.eta)


def keys_of_create_batch(command: commands.CreateBatch) -> Keys:
    return Keys(skus=frozenset([command.sku]), refs=frozenset([command.ref]), new_skus=frozenset([command.sku]))


def keys_of_line(command: commands.Allocate | commands.Deallocate) -> Keys:
    return Keys(skus=frozenset([command.sku]), lines=frozenset([(command.orderid, command.sku)]))


def keys_of_batch(command: commands.ChangeBatchQuantity | commands.ChangeBatchEta) -> Keys:
    return Keys(owners_of=frozenset([command.ref]))


@dataclass(frozen=True, slots=True)
class Handler:
    handle: Callable[[Any, UnitOfWork], None]
    keys: Callable[[Any], Keys]


COMMAND_HANDLERS: dict[type[commands.Command], Handler] = {
    commands.CreateBatch: Handler(create_batch, keys_of_create_batch),
    commands.ChangeBatchQuantity: Handler(change_batch_quantity, keys_of_batch),
    commands.ChangeBatchEta: Handler(change_batch_eta, keys_of_batch),
    commands.Allocate: Handler(allocate, keys_of_line),
    commands.Deallocate: Handler(deallocate, keys_of_line),
}
