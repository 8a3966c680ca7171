"""Finds the product that a command needs, or refuses the command."""

from allocation.domain import commands
from allocation.domain.errors import UnknownBatch, UnknownLine, UnknownSku
from allocation.domain.product import Product
from allocation.service_layer.unit_of_work import Products, UnitOfWork

LineCommand = commands.Allocate | commands.Deallocate | commands.ChangeLineQuantity | commands.Ship
BatchCommand = commands.ChangeBatchQuantity | commands.ChangeBatchEta


def get_product(sku: str, products: Products) -> Product:
    """Return the product of the SKU. Raise UnknownSku if the SKU never had a batch."""
    product = products.get(sku)
    if product is None:
        raise UnknownSku(sku)
    return product


def product_of_line(command: LineCommand, uow: UnitOfWork) -> Product:
    """Return the product of the command's line. Raise UnknownLine if the SKU never had a batch."""
    product = uow.products.get(command.sku)
    if product is None:
        raise UnknownLine(command.orderid, command.sku)
    return product


def product_of_batch(command: BatchCommand, uow: UnitOfWork) -> Product:
    """Return the product of the command's batch. Raise UnknownBatch if the batch does not exist."""
    product = uow.products.get_by_batchref(command.ref)
    if product is None:
        raise UnknownBatch(command.ref)
    return product
