"""Lines and batches as plain JSON data."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from allocation.domain.events import Candidate
from allocation.domain.model import Batch, Line
from allocation.service_layer.unit_of_work import Products


def line_state(line: Line, products: Products) -> dict[str, Any]:
    """{"orderid", "sku", "qty", "status", "batchref", "eta"}"""
    product = products.get(line.sku)
    batch = product.stock.batch(line.batchref) if product is not None and line.batchref is not None else None
    return {
        "orderid": line.orderid,
        "sku": line.sku,
        "qty": line.qty,
        "status": line.status.value,
        "batchref": line.batchref,
        "eta": as_text(batch.eta) if batch is not None else None,
    }


def batch_state(batch: Batch) -> dict[str, Any]:
    return {
        "ref": batch.ref,
        "sku": batch.sku,
        "qty": batch.purchased,
        "allocated": batch.allocated,
        "available": batch.available,
        "eta": as_text(batch.eta),
    }


def candidates(why: Iterable[Candidate]) -> list[dict[str, Any]]:
    """[{"ref", "eta", "available"}, …], the preferred first."""
    return [{"ref": one.ref, "eta": as_text(one.eta), "available": one.available} for one in why]


def as_text(eta: date | None) -> str | None:
    return eta.isoformat() if eta is not None else None
