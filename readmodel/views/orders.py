"""The view of an order: the state of each line. A line holds its batch's reference, and queries add the ETA.

{<bucket>}:order:<orderid>  hash  one register for each SKU: qty, status, batchref, why
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from readmodel.store import keys
from readmodel.store.errors import ModelDamaged
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.registers import (
    LONGEST_SHOWN,
    Register,
    Shape,
    State,
    decode,
    encode,
    has_shape,
    is_number,
    is_text,
    is_text_or_null,
)
from readmodel.views.batches import add_etas

STATUSES = ("allocated", "waiting", "deallocated", "shipped")
SHAPE: Shape = {"qty": is_number, "status": lambda status: status in STATUSES, "batchref": is_text_or_null}
WHY_SHAPE: Shape = {"ref": is_text, "eta": is_text_or_null, "available": is_number}


@keys.cached
def order_key(orderid: str) -> str:
    return keys.view_key("order", orderid)


class OrderView:
    """Folds events to the registers of order lines."""

    cached_members: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], tuple[int, bytes]] = {}

    def apply(self, event: Mapping[str, Any]) -> None:
        line = event.get("line")
        if line is None:
            return
        version = event["version"]
        name = line["orderid"], event["sku"]
        known = self._latest.get(name)
        if known is None or known[0] < version:
            state = {"qty": line["qty"], "status": line["status"], "batchref": line["batchref"]}
            if "why" in event:
                state["why"] = event["why"]
            # Encode immediately, because it is slow to keep many states. Few lines have two events in a page.
            self._latest[name] = version, encode(version, state)

    def registers(self) -> Iterator[Register]:
        for (orderid, sku), (version, value) in self._latest.items():
            yield Register(order_key(orderid), sku, version, value)

    @staticmethod
    def written(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if "line" in event:
            yield order_key(event["line"]["orderid"]), event["sku"]


def allocations(snapshot: Snapshot, orderid: str) -> Reading[list[State]]:
    """Return the lines that have a batch, as {"sku", "batchref"}, sorted by SKU."""
    [stored] = yield from snapshot.hashes(order_key(orderid))
    return [
        {"sku": line["sku"], "batchref": line["batchref"]}
        for line in stored_lines(stored)
        if line["batchref"] is not None
    ]


def order(snapshot: Snapshot, orderid: str, *, explain: bool = False) -> Reading[State | None]:
    """Return {"orderid", "lines": [{"sku", "qty", "status", "batchref", "version", "eta"}, …]}, sorted by SKU.

    Return None if the order does not exist. With `explain`, each line has `why`: the batches that were passed over
    because they had too little stock. It is a list of at most five {"ref", "eta", "available"}, in order of preference.
    It is None if the line got the first batch with stock, or has changed since.
    """
    [found] = yield from orders(snapshot, [orderid], explain=explain)
    return found


def orders(snapshot: Snapshot, orderids: Sequence[str], *, explain: bool = False) -> Reading[list[State | None]]:
    """Return what `order` returns for each of the orders, in the same number of trips."""
    hashes, etas = yield from snapshot.hashes_and_cache(*map(order_key, orderids))
    lines_of = list(map(stored_lines, hashes))
    refs = {line["batchref"] for lines in lines_of for line in lines if line["batchref"] is not None}
    yield from add_etas(snapshot, refs, etas)
    return [
        {"orderid": orderid, "lines": [with_eta(line, etas, explain) for line in lines]} if lines else None
        for orderid, lines in zip(orderids, lines_of, strict=True)
    ]


def stored_lines(stored: Mapping[str, str]) -> list[State]:
    return [stored_line(sku, *decode(stored[sku], SHAPE)) for sku in sorted(stored)]


def stored_line(sku: str, version: int, state: State) -> State:
    """Return the line with its `why`, which is None if the event had no reason. Raise ModelDamaged."""
    why = state.get("why")
    if why is not None and not is_why(why):
        raise ModelDamaged(f"the reason of a line has another shape: {str(why)[:LONGEST_SHOWN]}")
    return {"sku": sku} | {name: state[name] for name in SHAPE} | {"version": version, "why": why}


def is_why(why: Any) -> bool:
    return isinstance(why, list) and all(isinstance(batch, dict) and has_shape(batch, WHY_SHAPE) for batch in why)


def with_eta(line: State, etas: Mapping[str, str | None], explain: bool) -> State:
    why = line.pop("why")
    line["eta"] = etas.get(line["batchref"])
    return line | {"why": why} if explain else line
