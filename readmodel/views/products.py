"""The view of a product: its totals, and its batches with room.

{<bucket>}:product:<sku>  hash  register "totals": available, waiting; and "batch:<ref>" for each batch with room
{<bucket>}:used-up:<sku>  hash  "batch:<ref>" for each batch without room: readers do not load this hash
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from readmodel.store import keys
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.registers import (
    Register,
    Shape,
    State,
    decode,
    encode,
    is_number,
    is_text,
    is_text_or_null,
    state_of,
)

TOTALS = "totals"
TOTALS_SHAPE: Shape = {
    "available": is_number,
    "waiting": lambda waiting: is_number(waiting["lines"]) and is_number(waiting["units"]),
}
BATCH_SHAPE: Shape = {"ref": is_text, "qty": is_number, "allocated": is_number, "eta": is_text_or_null}


@keys.cached
def product_key(sku: str) -> str:
    return keys.view_key("product", sku)


@keys.cached
def used_up_key(sku: str) -> str:
    return keys.view_key("used-up", sku)


class ProductView:
    """Folds events to the registers of products."""

    cached_members: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        self._totals: dict[str, tuple[int, State]] = {}
        self._batches: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}

    def apply(self, event: Mapping[str, Any]) -> None:
        sku, version = event["sku"], event["version"]
        known = self._totals.get(sku)
        if known is None or known[0] < version:
            self._totals[sku] = version, {"available": event["available"], "waiting": event["waiting"]}
        for batch in event["batches"]:
            name = sku, batch["ref"]
            known_batch = self._batches.get(name)
            if known_batch is None or known_batch[0] < version:
                self._batches[name] = version, batch

    def registers(self) -> Iterator[Register]:
        for sku, (version, state) in self._totals.items():
            yield Register(product_key(sku), TOTALS, version, encode(version, state))
        for (sku, ref), (version, batch) in self._batches.items():
            key, former_key = product_key(sku), used_up_key(sku)
            if batch["allocated"] >= batch["qty"]:
                key, former_key = former_key, key
            value = encode(version, {name: batch[name] for name in ("ref", "qty", "allocated", "eta")})
            yield Register(key, f"batch:{ref}", version, value, former_key)

    @staticmethod
    def written(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield each batch as if it had room. If the event has filled it, a query waits for the relay."""
        key = product_key(event["sku"])
        yield key, TOTALS
        for batch in event["batches"]:
            yield key, f"batch:{batch['ref']}"


def product(snapshot: Snapshot, sku: str) -> Reading[State | None]:
    """Return {"sku", "available", "waiting": {"lines", "units"}, "batches": [{…}, …], "version"}.

    `batches` holds the batches with room in order of preference: {"ref", "qty", "allocated", "eta", "available"}.
    Return None if the SKU never had a batch.
    """
    [stored] = yield from snapshot.hashes(product_key(sku))
    if not stored:
        return None
    version, totals = decode(stored.pop(TOTALS, ""), TOTALS_SHAPE)
    with_room = sorted((state_of(value, BATCH_SHAPE) for value in stored.values()), key=preference)
    return {"sku": sku} | totals | {"batches": [with_available(batch) for batch in with_room], "version": version}


def with_available(batch: State) -> State:
    return batch | {"available": batch["qty"] - batch["allocated"]}


def preference(batch: State) -> tuple[str, str]:
    """Return the sort key: warehouse stock first, then the earliest ETA, then the reference."""
    return (batch["eta"] or "", batch["ref"])
