"""Converts command results and previews to plain JSON data."""

from typing import Any

from allocation.adapters.schemas.events import eta_as_text, passed_over_batches
from allocation.domain.model import Batch
from allocation.service_layer.outcomes import LineResult, OrderResult
from allocation.service_layer.preview import Preview, PreviewedLine


def order_result(outcome: OrderResult) -> dict[str, Any]:
    """Return {"orderid", "lines": [{"sku", "qty", "status", "batchref", "eta"}, …]}.

    A refused line also has a "message".
    """
    return {"orderid": outcome.orderid, "lines": [line_result(line) for line in outcome.lines]}


def line_result(line: LineResult) -> dict[str, Any]:
    return {
        "sku": line.order_line.sku,
        "qty": line.order_line.qty,
        **({} if line.reason is None else {"message": line.reason}),
        "status": line.status,
        "batchref": line.batchref,
        "eta": eta_as_text(line.eta),
    }


def preview(preview: Preview) -> dict[str, Any]:
    """Return {"answer", "lines": [{…}, …], "batches": [{…}, …]}.

    The answer is "OK" if the handler returned None, or `order_result` of its result. A line has orderid, sku, qty,
    status, batchref, eta, lost and why. A batch has ref, sku, qty, allocated, available and eta.
    """
    return {
        "answer": "OK" if preview.result is None else order_result(preview.result),
        "lines": [previewed_line(line) for line in preview.lines],
        "batches": [batch(one) for one in preview.batches],
    }


def previewed_line(previewed: PreviewedLine) -> dict[str, Any]:
    line = previewed.line
    return {
        "orderid": line.orderid,
        "sku": line.sku,
        "qty": line.qty,
        "status": line.status.value,
        "batchref": line.batchref,
        "eta": eta_as_text(previewed.eta),
        "lost": previewed.lost,
        "why": None if previewed.why is None else passed_over_batches(previewed.why),
    }


def batch(batch: Batch) -> dict[str, Any]:
    return {
        "ref": batch.ref,
        "sku": batch.sku,
        "qty": batch.purchased,
        "allocated": batch.allocated,
        "available": batch.available,
        "eta": eta_as_text(batch.eta),
    }
