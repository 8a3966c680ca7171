"""Order lines and products in format 1, which release 0.2.0 reads and writes. The next release deletes this module.

{<bucket>}:order:<orderid>  hash  one register for each SKU: qty, status, batchref and, if it has one, why
{<bucket>}:product:<sku>    hash  register "totals", and "batch:<ref>" for each batch with room: ref, qty, allocated, …
{<bucket>}:used-up:<sku>    hash  "batch:<ref>" for each batch without room: readers do not load this hash
"""

from collections.abc import Mapping, Sequence
from typing import Any

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
    is_number,
    is_text,
    is_text_or_null,
)
from readmodel.views import passed_over
from readmodel.views.kinds import Kind, Registers, Row

STATUSES = ("allocated", "waiting", "deallocated", "shipped")
LINE: Shape = {"qty": is_number, "status": lambda status: status in STATUSES, "batchref": is_text_or_null}
TOTALS: Shape = {
    "available": is_number,
    "waiting": lambda waiting: is_number(waiting["lines"]) and is_number(waiting["units"]),
}
BATCH: Shape = {"ref": is_text, "qty": is_number, "allocated": is_number, "eta": is_text_or_null}
IN_PRODUCT = "batch:"


def product_key(sku: str) -> str:
    return keys.view_key("product", sku)


def used_up_key(sku: str) -> str:
    return keys.view_key("used-up", sku)


def encode_line(version: int, line: Mapping[str, Any], why: Sequence[Mapping[str, Any]] | None) -> bytes:
    state = {name: line[name] for name in LINE}
    return encode(version, state if why is None else state | {"why": why})


def decode_line(sku: str, value: str) -> State:
    version, state = decode(value, LINE)
    why = state.get("why")
    if not passed_over.is_why(why):
        raise ModelDamaged(f"the reason of a line has another shape: {value[:LONGEST_SHOWN]!r}")
    return {"sku": sku} | {name: state[name] for name in LINE} | {"version": version, "why": why}


def totals(sku: str, version: int, available: int, waiting: Mapping[str, int]) -> Register:
    return Register(product_key(sku), "totals", version, encode(version, {"available": available, "waiting": waiting}))


def batch(sku: str, version: int, state: Mapping[str, Any]) -> Register:
    key, former_key = product_key(sku), used_up_key(sku)
    if state["allocated"] >= state["qty"]:
        key, former_key = former_key, key
    value = encode(version, {name: state[name] for name in BATCH})
    return Register(key, f"{IN_PRODUCT}{state['ref']}", version, value, former_key)


def kinds() -> dict[str, Kind]:
    return {
        "product": Registers(
            lambda sku, field: ("product", (sku,)) if field == "totals" else row_of_batch(sku, field),
            lambda sku: ("product", (sku,)),
        ),
        "used-up": Registers(row_of_batch, lambda sku: ("product", (sku,))),
    }


def row_of_batch(sku: str, field: str) -> Row | None:
    return ("stock", (sku, field.removeprefix(IN_PRODUCT))) if field.startswith(IN_PRODUCT) else None


def product(snapshot: Snapshot, sku: str) -> Reading[State | None]:
    """Return what `products.product` returns, with all batches on one page."""
    [stored] = yield from snapshot.hashes(product_key(sku))
    if not stored:
        return None
    version, state = decode(stored.pop("totals", ""), TOTALS)
    with_room = sorted((decode(value, BATCH)[1] for value in stored.values()), key=preference)
    batches = [batch | {"available": batch["qty"] - batch["allocated"]} for batch in with_room]
    return {"sku": sku, **state, "batches": batches, "version": version, "next": None}


def preference(batch: Mapping[str, str]) -> tuple[str, str]:
    """Return the sort key: warehouse stock first, then the earliest ETA, then the reference."""
    return (batch["eta"] or "", batch["ref"])
