"""Orders: what became of each line, by order. A line holds its batch's reference; the ETA is read from the batch."""

from collections.abc import Iterator, Mapping
from typing import Any

from readmodel.store import keys
from readmodel.store.registers import Register, State, decode, encode
from readmodel.store.store import Snapshot
from readmodel.views import batches

Lines = dict[tuple[str, str], tuple[int, bytes]]
"""By order and SKU: the version of what was told last, and the value of its register."""


def gather(event: Mapping[str, Any], lines: Lines) -> None:
    """Keep what the event tells of its line, where it is newer."""
    line = event.get("line")
    if line is None:
        return
    version = event["version"]
    identity = line["orderid"], event["sku"]
    known = lines.get(identity)
    if known is None or known[0] < version:
        state = {"qty": line["qty"], "status": line["status"], "batchref": line["batchref"]}
        if "why" in event:
            state["why"] = event["why"]
        # Encoded now: few lines are told of twice, and states kept in their hundred thousands are what takes time.
        lines[identity] = version, encode(version, state)


def registers(lines: Lines) -> Iterator[Register]:
    for (orderid, sku), (version, value) in lines.items():
        yield Register(keys.order(orderid), sku, version, value)


def allocations(snapshot: Snapshot, orderid: str) -> list[State]:
    """The lines that have a batch, as {"sku", "batchref"}, by SKU. Empty where none has."""
    return [
        {"sku": line["sku"], "batchref": line["batchref"]}
        for line in lines(*snapshot.hashes(keys.order(orderid)))
        if line["batchref"] is not None
    ]


def order(snapshot: Snapshot, orderid: str, *, explain: bool = False) -> State | None:
    """Every line of the order with its status and its batch's ETA, by SKU; None for an order that never was.

    To `explain` a line is to say in `why` which batches had too little left when it came to wait or to get a later one:
    [{"ref", "eta", "available"}, …], at most five, the preferred first; null for a line that got the first batch with
    any stock left, and for one that was changed since.
    """
    stored, etas = snapshot.with_etas(keys.order(orderid))
    if not stored:
        return None
    found = lines(stored)
    batches.add_etas(snapshot, {line["batchref"] for line in found if line["batchref"] is not None}, etas)
    return {"orderid": orderid, "lines": [shown(line, etas, explain) for line in found]}


def lines(stored: Mapping[str, str]) -> list[State]:
    return [line(sku, *decode(stored[sku])) for sku in sorted(stored)]


def line(sku: str, version: int, state: State) -> State:
    return {"sku": sku} | state | {"version": version}


def shown(line: State, etas: Mapping[str, str | None], explain: bool) -> State:
    why = line.pop("why", None)
    line["eta"] = etas.get(line["batchref"])
    return line | {"why": why} if explain else line
