"""The JSON of command results and previews."""

from typing import Any

from allocation.adapters.schemas.events import candidates, eta_as_text
from allocation.domain.model import Batch
from allocation.service_layer.outcomes import LineOutcome, OrderOutcome
from allocation.service_layer.preview import Preview, PreviewedLine


def order_outcome(outcome: OrderOutcome) -> dict[str, Any]:
    """Return {"orderid", "lines": [{"sku", "qty", "status", "batchref", "eta"}, …]}; a refused line has a "message"."""
    return {"orderid": outcome.orderid, "lines": [line_outcome(line) for line in outcome.lines]}


def line_outcome(line: LineOutcome) -> dict[str, Any]:
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

    The answer is "OK" or the JSON of the result. A line has orderid, sku, qty, status, batchref, eta, lost and why. A
    batch has ref, sku, qty, allocated, available and eta.
    """
    return {
        "answer": "OK" if preview.result is None else order_outcome(preview.result),
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
        "why": None if previewed.why is None else candidates(previewed.why),
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
