"""Allocates the lines of an order in one transaction: each by itself, or all of them or none."""

from collections.abc import Iterator

from allocation.domain.commands import AllocateOrder
from allocation.domain.errors import OrderShort, Refusal, ShortLine, UnknownSku
from allocation.domain.model import OrderLine
from allocation.domain.product import Product
from allocation.service_layer.outcomes import REFUSED, LineOutcome, OrderOutcome
from allocation.service_layer.unit_of_work import Products, UnitOfWork


def allocate_order(command: AllocateOrder, uow: UnitOfWork) -> OrderOutcome:
    """Return the outcome of each line. Raises OrderShort with `all_or_nothing` if a line can't get a batch."""
    lines = command.order_lines
    if command.all_or_nothing:
        short = list(short_lines(lines, uow.products))
        if short:
            raise OrderShort(command.orderid, short)
    return OrderOutcome(command.orderid, [allocate_line(line, uow.products) for line in lines])


def short_lines(lines: list[OrderLine], products: Products) -> Iterator[ShortLine]:
    for line in lines:
        try:
            if not get_product(line.sku, products).can_allocate(line):
                yield ShortLine(line, f"No batch has {line.qty} left")
        except Refusal as refusal:
            yield ShortLine(line, str(refusal))


def allocate_line(wanted: OrderLine, products: Products) -> LineOutcome:
    try:
        product = get_product(wanted.sku, products)
        product.allocate(wanted)
    except Refusal as refusal:
        return LineOutcome(wanted, REFUSED, reason=str(refusal))
    line = product.lines[wanted.orderid]
    return LineOutcome(line.order_line, line.status.value, line.batchref, product.eta_of(line))


def get_product(sku: str, products: Products) -> Product:
    """Raises UnknownSku."""
    product = products.get(sku)
    if product is None:
        raise UnknownSku(sku)
    return product
