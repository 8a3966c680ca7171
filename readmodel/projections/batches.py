"""Batches, by reference."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from readmodel import keys
from readmodel.registers import Register, State, state_of
from readmodel.store import Snapshot, TornRead

STATE = "state"


def registers(event: Mapping[str, Any]) -> Iterator[Register]:
    for batch in event["batches"]:
        state = {name: batch[name] for name in ("qty", "allocated", "eta")}
        yield Register(keys.batch(batch["ref"]), STATE, event["version"], {"sku": event["sku"]} | state)


def batch(snapshot: Snapshot, ref: str) -> State | None:
    [stored] = snapshot.hashes(keys.batch(ref))
    if STATE not in stored:
        return None
    state = state_of(stored[STATE])
    return {"ref": ref} | state | {"available": state["qty"] - state["allocated"]}


def etas(snapshot: Snapshot, refs: Iterable[str]) -> dict[str, str | None]:
    """The ETA of each batch, by reference. Raises TornRead where a line was written and its batch is yet to be."""
    refs = list(refs)
    found = snapshot.hashes(*map(keys.batch, refs)) if refs else []
    if not all(found):
        raise TornRead
    return {ref: state_of(stored[STATE])["eta"] for ref, stored in zip(refs, found, strict=True)}
