"""A bus, its preview and the model, held against each other."""

from collections.abc import Callable
from typing import Any

from allocation.adapters.schemas import results
from allocation.adapters.schemas.events import eta_as_text
from allocation.domain.errors import OrderShort, Refusal
from allocation.service_layer.idempotency import KeyReused
from allocation.service_layer.outcomes import OrderOutcome
from allocation.service_layer.preview import Preview
from tests.model.observed import BatchRow, State
from tests.model.rules import Model

Answer = dict[str, Any] | None


def outcome(act: Callable[[], OrderOutcome | Preview | Answer]) -> Answer | Exception:
    """What becomes of a call, as JSON data or as the refusal that it raises."""
    try:
        return as_json(act())
    except (Refusal, KeyReused) as refused:
        return refused


def as_json(result: OrderOutcome | Preview | Answer) -> Answer:
    if isinstance(result, OrderOutcome):
        return results.order_outcome(result)
    return results.preview(result) if isinstance(result, Preview) else result


def compared(came_to: Answer | Exception) -> object:
    """What must be the same in the bus and in the model: not how OrderShort words its reasons."""
    if isinstance(came_to, OrderShort):
        return OrderShort, came_to.orderid, [line.order_line for line in came_to.lines]
    return (type(came_to), str(came_to)) if isinstance(came_to, Exception) else came_to


def assert_same(state: State, model: Model) -> None:
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
    assert {line: row[:-1] for line, row in state.lines.items()} == {
        key: (line.qty, line.status, line.batchref) for key, line in model.lines.items()
    }


def assert_foretold(foreseen: Answer | Exception, came_to: Answer | Exception, before: State, after: State) -> None:
    if foreseen is None or isinstance(foreseen, Exception):
        assert (type(foreseen), repr(foreseen)) == (type(came_to), repr(came_to))
        return
    assert foreseen["answer"] == (came_to or "OK")
    lines = {(line["orderid"], line["sku"]): line for line in foreseen["lines"]}
    assert len(lines) == len(foreseen["lines"]), "each line once"
    assert {line for line in after.lines if before.lines.get(line) != after.lines[line]} <= lines.keys()
    for (orderid, sku), line in lines.items():
        told = {name: line[name] for name in line if name != "why"}
        assert told == {"orderid": orderid, "sku": sku} | line_as_foreseen((orderid, sku), before, after)
    refs = {batch["ref"]: batch for batch in foreseen["batches"]}
    assert len(refs) == len(foreseen["batches"]), "each batch once"
    assert {ref for ref in after.batches if before.batches.get(ref) != after.batches[ref]} <= refs.keys()
    for ref, batch in refs.items():
        assert batch == {"ref": ref} | batch_as_foreseen(after.batches[ref])


def line_as_foreseen(key: tuple[str, str], before: State, after: State) -> dict[str, Any]:
    line, earlier = after.lines[key], before.lines.get(key)
    had = earlier.batchref if earlier else None
    return {
        "qty": line.qty,
        "status": line.status,
        "batchref": line.batchref,
        "eta": eta_as_text(after.batches[line.batchref].eta) if line.batchref else None,
        "lost": had if had != line.batchref else None,
    }


def batch_as_foreseen(batch: BatchRow) -> dict[str, Any]:
    return {
        "sku": batch.sku,
        "qty": batch.qty,
        "allocated": batch.allocated,
        "available": batch.qty - batch.allocated,
        "eta": eta_as_text(batch.eta),
    }
