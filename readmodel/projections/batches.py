"""Batches, by reference."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from readmodel import keys
from readmodel.registers import Register, State, encode, state_of
from readmodel.store import Snapshot, TornRead

STATE = "state"


Told = dict[tuple[str, str], tuple[int, Mapping[str, Any]]]
"""By SKU and reference: the version of what was told last of a batch, and what it was."""


def gather(event: Mapping[str, Any], told: Told) -> None:
    """Keep what the event tells of batches, where it is newer."""
    version = event["version"]
    for batch in event["batches"]:
        identity = event["sku"], batch["ref"]
        known = told.get(identity)
        if known is None or known[0] < version:
            told[identity] = version, batch


def registers(told: Told) -> Iterator[Register]:
    for (sku, ref), (version, batch) in told.items():
        state = {"sku": sku, "qty": batch["qty"], "allocated": batch["allocated"], "eta": batch["eta"]}
        yield Register(keys.batch(ref), STATE, version, encode(version, state))


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
