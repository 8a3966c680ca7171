"""The views, one module each: its keys, how an event changes it, how it is read."""

from collections.abc import Iterable, Mapping
from typing import Any

from readmodel.projections import batches, orders, products
from readmodel.registers import Register, newest

VIEWS = (orders, products, batches)


def fold(events: Iterable[Mapping[str, Any]]) -> Iterable[Register]:
    """The registers that the events leave. Live updates and rebuilds use this same function."""
    return newest(register for event in events for view in VIEWS for register in view.registers(event))
