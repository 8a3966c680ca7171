from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allocation.domain import commands
from allocation.domain.errors import BatchConflict, UnknownSku
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


def keys_of_create_batch(command: commands.CreateBatch) -> Keys:
    return Keys(skus=frozenset([command.sku]), refs=frozenset([command.ref]), new_skus=frozenset([command.sku]))


def keys_of_allocate(command: commands.Allocate) -> Keys:
    return Keys(skus=frozenset([command.sku]), lines=frozenset([(command.orderid, command.sku)]))


@dataclass(frozen=True, slots=True)
class Handler:
    handle: Callable[[Any, UnitOfWork], None]
    keys: Callable[[Any], Keys]


COMMAND_HANDLERS: dict[type[commands.Command], Handler] = {
    commands.CreateBatch: Handler(create_batch, keys_of_create_batch),
    commands.Allocate: Handler(allocate, keys_of_allocate),
}
