"""Comparisons of a bus's outcomes, its previews and its store with those of the model."""

from collections.abc import Callable
from typing import Any

from allocation.adapters.schemas import results
from allocation.adapters.schemas.events import eta_as_text
from allocation.domain.errors import OrderShort, Refusal
from allocation.service_layer.idempotency import KeyReused
from allocation.service_layer.outcomes import OrderResult
from allocation.service_layer.preview import Preview
from tests.model.observed import BatchRow, State
from tests.model.rules import Model

Answer = dict[str, Any] | None


def outcome_of(call: Callable[[], OrderResult | Preview | Answer]) -> Answer | Exception:
    """Return the result of the call as JSON data, or the refusal that it raises."""
    try:
        return as_json(call())
    except (Refusal, KeyReused) as refusal:
        return refusal


def as_json(result: OrderResult | Preview | Answer) -> Answer:
    if isinstance(result, OrderResult):
        return results.order_result(result)
    return results.preview(result) if isinstance(result, Preview) else result


def comparable(outcome: Answer | Exception) -> object:
    """Return the part of an outcome that the bus and the model share. The model has no reasons for OrderShort."""
    if isinstance(outcome, OrderShort):
        return OrderShort, outcome.orderid, [line.order_line for line in outcome.lines]
    return (type(outcome), str(outcome)) if isinstance(outcome, Exception) else outcome


def assert_state_equals_model(state: State, model: Model) -> None:
    assert {ref: batch[:-1] for ref, batch in state.batches.items()} == {
        ref: (
            batch.created.sku,
            batch.qty,
            model.units_on(ref, "allocated", "shipped"),
            model.units_on(ref, "shipped"),
            batch.eta,
        )
        for ref, batch in model.batches.items()
    }
    assert {key: line[:-1] for key, line in state.lines.items()} == {
        key: (line.qty, line.status, line.batchref) for key, line in model.lines.items()
    }


def assert_preview_was_right(
    preview: Answer | Exception, outcome: Answer | Exception, before: State, after: State
) -> None:
    """Compare the preview of a command with its outcome, and with the lines and batches that it changed."""
    if preview is None or isinstance(preview, Exception):
        assert (type(preview), repr(preview)) == (type(outcome), repr(outcome))
        return
    assert preview["answer"] == (outcome or "OK")
    lines = {(line["orderid"], line["sku"]): line for line in preview["lines"]}
    assert len(lines) == len(preview["lines"]), "the preview names each line once"
    assert {key for key in after.lines if before.lines.get(key) != after.lines[key]} <= lines.keys()
    for (orderid, sku), line in lines.items():
        previewed = {name: line[name] for name in line if name != "why"}
        assert previewed == {"orderid": orderid, "sku": sku} | expected_line((orderid, sku), before, after)
    batches = {batch["ref"]: batch for batch in preview["batches"]}
    assert len(batches) == len(preview["batches"]), "the preview names each batch once"
    assert {ref for ref in after.batches if before.batches.get(ref) != after.batches[ref]} <= batches.keys()
    for ref, batch in batches.items():
        assert batch == {"ref": ref} | expected_batch(after.batches[ref])


def expected_line(key: tuple[str, str], before: State, after: State) -> dict[str, Any]:
    line, former = after.lines[key], before.lines.get(key)
    former_batchref = former.batchref if former else None
    return {
        "qty": line.qty,
        "status": line.status,
        "batchref": line.batchref,
        "eta": eta_as_text(after.batches[line.batchref].eta) if line.batchref else None,
        "lost": former_batchref if former_batchref != line.batchref else None,
    }


def expected_batch(batch: BatchRow) -> dict[str, Any]:
    return {
        "sku": batch.sku,
        "qty": batch.qty,
        "allocated": batch.allocated,
        "available": batch.qty - batch.allocated,
        "eta": eta_as_text(batch.eta),
    }
