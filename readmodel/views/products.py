"""Products: what can still be promised of a SKU, and from which batches."""

from collections.abc import Iterator, Mapping
from typing import Any

from readmodel.store import keys
from readmodel.store.registers import Register, State, decode, encode, state_of
from readmodel.store.store import Snapshot
from readmodel.views import batches

TOTALS = "totals"


Totals = dict[str, tuple[int, State]]
"""By SKU: the version of what was told last, and the totals."""


def gather(event: Mapping[str, Any], totals: Totals) -> None:
    """Keep what the event tells of its product's totals, where it is newer."""
    sku, version = event["sku"], event["version"]
    known = totals.get(sku)
    if known is None or known[0] < version:
        totals[sku] = version, {"available": event["available"], "waiting": event["waiting"]}


def registers(totals: Totals, told: batches.Told) -> Iterator[Register]:
    for sku, (version, state) in totals.items():
        yield Register(keys.product(sku), TOTALS, version, encode(version, state))
    for (sku, ref), (version, batch) in told.latest.items():
        with_room, without = keys.product(sku), keys.used_up(sku)
        value = encode(version, {name: batch[name] for name in ("ref", "qty", "allocated", "eta")})
        if batch["allocated"] < batch["qty"]:
            yield Register(with_room, f"batch:{ref}", version, value, elsewhere=without)
        else:
            yield Register(without, f"batch:{ref}", version, value, elsewhere=with_room)


def product(snapshot: Snapshot, sku: str) -> State | None:
    """The product's totals and its batches with room, the preferred first; None for a SKU that never had a batch."""
    [stored] = snapshot.hashes(keys.product(sku))
    if TOTALS not in stored:
        return None
    version, totals = decode(stored.pop(TOTALS))
    with_room = sorted(map(state_of, stored.values()), key=preference)
    return {"sku": sku} | totals | {"batches": [with_available(batch) for batch in with_room], "version": version}


def with_available(batch: State) -> State:
    return batch | {"available": batch["qty"] - batch["allocated"]}


def preference(batch: State) -> tuple[str, str]:
    """Warehouse stock first, then the earliest ETA, ties by reference: the order in which lines get batches."""
    return (batch["eta"] or "", batch["ref"])
