"""Events of a product with very many batches or waiting lines, as the log would have them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

Event = dict[str, Any]


def event(kind: str, sku: str, version: int, available: int, waiting: tuple[int, int] = (0, 0), **more: Any) -> Event:
    """Return an event. `waiting` holds the waiting lines and units."""
    return {
        "type": kind,
        "at": "2026-11-21T12:00:00.000+00:00",
        "epoch": 1,
        "sku": sku,
        "version": version,
        "available": available,
        "waiting": {"lines": waiting[0], "units": waiting[1]},
        "batches": [],
    } | more


def batch(ref: str, qty: int, allocated: int = 0, eta: str | None = None) -> Mapping[str, Any]:
    return {"ref": ref, "qty": qty, "allocated": allocated, "shipped": 0, "eta": eta}


def batches_created(sku: str, quantities: Sequence[int]) -> Iterator[Event]:
    """Yield an event for each batch. Their references are in order of preference."""
    for version, (qty, available) in enumerate(zip(quantities, accumulate(quantities), strict=True), 1):
        yield event("BatchCreated", sku, version, available, batches=[batch(f"{sku}-{version:06}", qty)])


def lines_out_of_stock(sku: str, number: int) -> Iterator[Event]:
    """Yield an event for each waiting line. The order ids are <sku>-1 and so on, in order of arrival."""
    units = 0
    for version in range(1, number + 1):
        units += qty_of(version)
        line = {
            "orderid": f"{sku}-{version}",
            "qty": qty_of(version),
            "status": "waiting",
            "batchref": None,
            "place": version,
        }
        yield event("OutOfStock", sku, version, 0, (version, units), line=line, why=[])


def qty_of(place: int) -> int:
    """Return the quantity of the waiting line in this place."""
    return 1 + place % 7
