"""Allocates the lines of an order in one transaction: each on its own feet, or all or none."""

from collections.abc import Iterator
from typing import Any

from allocation.domain.commands import AllocateOrder
from allocation.domain.errors import OrderShort, Refusal, UnknownSku
from allocation.domain.model import OrderLine
from allocation.domain.product import Product
from allocation.service_layer.idempotency import Answer
from allocation.service_layer.states import line_state
from allocation.service_layer.unit_of_work import Products, UnitOfWork

REFUSED = "refused"


def allocate_order(command: AllocateOrder, uow: UnitOfWork) -> Answer:
    """Returns each line's outcome. Raises OrderShort where all were wanted and one could not have a batch."""
    lines = [OrderLine(command.orderid, sku, qty) for sku, qty in command.lines]
    if command.all_or_nothing:
        short = list(those_without_a_batch(lines, uow.products))
        if short:
            raise OrderShort(command.orderid, short)
    return {"orderid": command.orderid, "lines": [outcome(line, uow.products) for line in lines]}


def those_without_a_batch(lines: list[OrderLine], products: Products) -> Iterator[dict[str, str | int]]:
    for line in lines:
        try:
            if not product_of(line, products).would_have_a_batch(line):
                yield refused(line, f"No batch has {line.qty} left")
        except Refusal as refusal:
            yield refused(line, str(refusal))


def outcome(line: OrderLine, products: Products) -> dict[str, Any]:
    """What became of the line: its status, batch and ETA; or that it was refused, and why."""
    try:
        product = product_of(line, products)
        product.allocate(line)
    except Refusal as refusal:
        return refused(line, str(refusal)) | {"status": REFUSED, "batchref": None, "eta": None}
    state = line_state(product.lines[line.orderid], products)
    return {name: state[name] for name in state if name != "orderid"}


def refused(line: OrderLine, reason: str) -> dict[str, Any]:
    return {"sku": line.sku, "qty": line.qty, "message": reason}


def product_of(line: OrderLine, products: Products) -> Product:
    product = products.get(line.sku)
    if product is None:
        raise UnknownSku(line.sku)
    return product
