"""Batches, by reference."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from readmodel.store import keys
from readmodel.store.reader_cache import Etas
from readmodel.store.registers import Register, State, encode, state_of
from readmodel.store.store import Snapshot, TornRead

STATE = "state"


class Told:
    """By SKU and reference: the version of what was told last of a batch, and what it was; and who got another ETA."""

    def __init__(self) -> None:
        self.latest: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
        self.with_another_eta = set[tuple[str, str]]()


def gather(event: Mapping[str, Any], told: Told) -> None:
    """Keep what the event tells of batches, where it is newer."""
    version, latest = event["version"], told.latest
    for batch in event["batches"]:
        identity = event["sku"], batch["ref"]
        known = latest.get(identity)
        if known is None or known[0] < version:
            latest[identity] = version, batch
        if event["type"] == "BatchEtaChanged":
            told.with_another_eta.add(identity)


def registers(told: Told) -> Iterator[Register]:
    for (sku, ref), (version, batch) in told.latest.items():
        state = {"sku": sku, "qty": batch["qty"], "allocated": batch["allocated"], "eta": batch["eta"]}
        forget = (sku, ref) in told.with_another_eta
        yield Register(keys.batch(ref), STATE, version, encode(version, state), forget=forget)


def batch(snapshot: Snapshot, ref: str) -> State | None:
    [stored] = snapshot.hashes(keys.batch(ref))
    if STATE not in stored:
        return None
    state = state_of(stored[STATE])
    return {"ref": ref} | state | {"available": state["qty"] - state["allocated"]}


def add_etas(snapshot: Snapshot, refs: Iterable[str], etas: Etas) -> None:
    """Look up those that are not there. Raises TornRead where a line was written and its batch is yet to be."""
    unknown = [ref for ref in refs if ref not in etas]
    found = snapshot.hashes(*map(keys.batch, unknown)) if unknown else []
    if not all(found):
        raise TornRead
    etas.update((ref, state_of(stored[STATE])["eta"]) for ref, stored in zip(unknown, found, strict=True))
