"""Converts outcomes to and from the JSON that the database stores with an idempotency key."""

from dataclasses import asdict
from datetime import date
from typing import Any

import orjson

from allocation.adapters.schemas import results
from allocation.domain import errors
from allocation.domain.errors import OrderShort, Refusal, ShortLine
from allocation.domain.model import OrderLine
from allocation.service_layer.outcomes import Done, LineResult, OrderResult
from allocation.service_layer.unit_of_work import StoreUnavailable

REFUSAL_NAMES: dict[type[Refusal], str] = {
    errors.UnknownSku: "UnknownSku",
    errors.UnknownLine: "UnknownLine",
    errors.UnknownOrder: "UnknownOrder",
    errors.UnknownBatch: "UnknownBatch",
    errors.LineConflict: "LineConflict",
    errors.BatchConflict: "BatchConflict",
    errors.LineShipped: "LineShipped",
    errors.LineDeallocated: "LineDeallocated",
    errors.LineNotAllocated: "LineNotAllocated",
    errors.OrderShipped: "OrderShipped",
    errors.BatchShipped: "BatchShipped",
    errors.OrderShort: "OrderShort",
}
"""The stored name of each refusal. It never changes: an outcome must stay readable until its key expires."""
REFUSALS = {name: refusal for refusal, name in REFUSAL_NAMES.items()}


def to_json(outcome: Done | Refusal) -> str:
    if isinstance(outcome, Done):
        result = None if outcome.result is None else results.order_result(outcome.result)
        return orjson.dumps({"answer": result}).decode()
    return orjson.dumps({"refusal": REFUSAL_NAMES[type(outcome)], "members": refusal_members(outcome)}).decode()


def from_json(stored: dict[str, Any]) -> Done | Refusal:
    """Return the outcome. Raise StoreUnavailable if only a newer version of the service knows the stored refusal."""
    if "answer" in stored:
        return Done(None if stored["answer"] is None else order_result(stored["answer"]))
    name, members = stored["refusal"], stored["members"]
    if name not in REFUSALS:
        raise StoreUnavailable(f"A newer version of the service stored this outcome: {name}")
    if REFUSALS[name] is OrderShort:
        return OrderShort(members["orderid"], [short_line(members["orderid"], line) for line in members["lines"]])
    return REFUSALS[name](**members)


def refusal_members(refusal: Refusal) -> dict[str, Any]:
    if isinstance(refusal, OrderShort):
        return {"orderid": refusal.orderid, "lines": short_lines(refusal)}
    # mypy does not know that every refusal is a dataclass. A test checks that.
    members: dict[str, Any] = asdict(refusal)  # type: ignore[call-overload]
    return members


def short_lines(refusal: OrderShort) -> list[dict[str, Any]]:
    """Return [{"sku", "qty", "message"}, …]."""
    return [{"sku": line.order_line.sku, "qty": line.order_line.qty, "message": line.reason} for line in refusal.lines]


def short_line(orderid: str, stored: dict[str, Any]) -> ShortLine:
    return ShortLine(OrderLine(orderid, stored["sku"], stored["qty"]), stored["message"])


def order_result(stored: dict[str, Any]) -> OrderResult:
    return OrderResult(stored["orderid"], [line_result(stored["orderid"], line) for line in stored["lines"]])


def line_result(orderid: str, stored: dict[str, Any]) -> LineResult:
    return LineResult(
        OrderLine(orderid, stored["sku"], stored["qty"]),
        stored["status"],
        stored["batchref"],
        None if stored["eta"] is None else date.fromisoformat(stored["eta"]),
        stored.get("message"),
    )
