"""Allocates the lines of an order in one transaction. With `all_or_nothing`, it allocates all lines or none."""

from collections.abc import Iterator

from allocation.domain.commands import AllocateOrder
from allocation.domain.errors import OrderShort, Refusal, ShortLine
from allocation.domain.model import OrderLine
from allocation.service_layer.outcomes import REFUSED, LineResult, OrderResult
from allocation.service_layer.products_of import get_product
from allocation.service_layer.unit_of_work import Products, UnitOfWork


def allocate_order(command: AllocateOrder, uow: UnitOfWork) -> OrderResult:
    """Allocate each line and return the results. A refused line does not affect the others.

    If `all_or_nothing` is set and a line can't get a batch, raise OrderShort and allocate no line.
    """
    lines = command.order_lines
    if command.all_or_nothing:
        short = list(short_lines(lines, uow.products))
        if short:
            raise OrderShort(command.orderid, short)
    return OrderResult(command.orderid, [allocate_line(line, uow.products) for line in lines])


def short_lines(lines: list[OrderLine], products: Products) -> Iterator[ShortLine]:
    """Yield each line that can't get a batch, with the reason."""
    for line in lines:
        try:
            if not get_product(line.sku, products).can_allocate(line):
                yield ShortLine(line, f"No batch has {line.qty} left")
        except Refusal as refusal:
            yield ShortLine(line, str(refusal))


def allocate_line(wanted: OrderLine, products: Products) -> LineResult:
    try:
        product = get_product(wanted.sku, products)
        product.allocate(wanted)
    except Refusal as refusal:
        return LineResult(wanted, REFUSED, reason=str(refusal))
    line = product.lines[wanted.orderid]
    return LineResult(line.order_line, line.status.value, line.batchref, product.eta_of(line))
