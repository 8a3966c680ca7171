"""Products: what can still be promised of a SKU, and from which batches."""

from collections.abc import Iterator, Mapping
from typing import Any

from readmodel import keys
from readmodel.registers import Register, State, decode, state_of
from readmodel.store import Snapshot

TOTALS = "totals"


def registers(event: Mapping[str, Any]) -> Iterator[Register]:
    sku, version = event["sku"], event["version"]
    with_room, without = keys.product(sku), keys.used_up(sku)
    yield Register(with_room, TOTALS, version, {"available": event["available"], "waiting": event["waiting"]})
    for told in event["batches"]:
        batch = {name: told[name] for name in ("ref", "qty", "allocated", "eta")}
        field = f"batch:{batch['ref']}"
        if batch["allocated"] < batch["qty"]:
            yield Register(with_room, field, version, batch, elsewhere=without)
        else:
            yield Register(without, field, version, batch, elsewhere=with_room)


def product(snapshot: Snapshot, sku: str) -> State | None:
    """The product's totals and its batches with room, the preferred first; None for a SKU that never had a batch."""
    [stored] = snapshot.hashes(keys.product(sku))
    if TOTALS not in stored:
        return None
    version, totals = decode(stored.pop(TOTALS))
    batches = sorted(map(state_of, stored.values()), key=preference)
    return {"sku": sku} | totals | {"batches": [with_available(batch) for batch in batches], "version": version}


def with_available(batch: State) -> State:
    return batch | {"available": batch["qty"] - batch["allocated"]}


def preference(batch: State) -> tuple[str, str]:
    """Warehouse stock first, then the earliest ETA, ties by reference: the order in which lines get batches."""
    return (batch["eta"] or "", batch["ref"])
