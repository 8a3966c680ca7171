"""The views, one module each: its keys, how an event changes it, how it is read."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from readmodel.store.registers import Register
from readmodel.views import batches, orders, products


def fold(events: Iterable[Mapping[str, Any]]) -> Iterator[Register]:
    """The registers that the events leave. Live updates and rebuilds use this same function.

    Of each register the last state alone: nobody shall read what was true only within a transaction.
    """
    lines: orders.Lines = {}
    totals: products.Totals = {}
    told = batches.Told()
    for event in events:
        orders.gather(event, lines)
        products.gather(event, totals)
        batches.gather(event, told)
    yield from products.registers(totals, told)
    yield from batches.registers(told)
    yield from orders.registers(lines)
