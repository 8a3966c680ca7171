"""The view of a batch, by reference.

{<bucket>}:batch:<ref>  hash  register "state": sku, qty, allocated, eta
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from readmodel.store import keys
from readmodel.store.errors import TornRead
from readmodel.store.formats import Format
from readmodel.store.reads.reader_cache import Cached
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.registers import Register, Shape, State, encode, is_number, is_text, is_text_or_null, state_of
from readmodel.views.kinds import Kind, Registers

STATE = "state"
SHAPE: Shape = {"sku": is_text, "qty": is_number, "allocated": is_number, "eta": is_text_or_null}


@keys.cached
def batch_key(ref: str) -> str:
    return keys.view_key("batch", ref)


class BatchView:
    """Folds events to the registers of batches."""

    cached_members: ClassVar[dict[str, str]] = {STATE: "eta"}

    def __init__(self, _: Format) -> None:
        self._latest: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
        self._with_new_eta = set[tuple[str, str]]()

    def apply(self, event: Mapping[str, Any]) -> None:
        version, latest = event["version"], self._latest
        for batch in event["batches"]:
            name = event["sku"], batch["ref"]
            known = latest.get(name)
            if known is None or known[0] < version:
                latest[name] = version, batch
            if event["type"] == "BatchEtaChanged":
                self._with_new_eta.add(name)

    def writes(self) -> Iterator[Register]:
        for (sku, ref), (version, batch) in self._latest.items():
            state = {"sku": sku, "qty": batch["qty"], "allocated": batch["allocated"], "eta": batch["eta"]}
            new_eta = (sku, ref) in self._with_new_eta
            yield Register(batch_key(ref), STATE, version, encode(version, state), invalidates_cache=new_eta)

    @staticmethod
    def written(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for batch in event["batches"]:
            yield batch_key(batch["ref"]), STATE

    @staticmethod
    def kinds(_: Format) -> dict[str, Kind]:
        return {
            "batch": Registers(
                row_of=lambda ref, field: ("batch", (ref,)) if field == STATE else None,
                row_of_key=lambda ref: ("batch", (ref,)),
            )
        }


def batch(snapshot: Snapshot, ref: str) -> Reading[State | None]:
    """Return {"ref", "sku", "qty", "allocated", "eta", "available"}, or None if the batch does not exist."""
    [stored] = yield from snapshot.hashes(batch_key(ref))
    if not stored:
        return None
    state = stored_state(stored)
    return {"ref": ref} | state | {"available": state["qty"] - state["allocated"]}


def add_etas(snapshot: Snapshot, refs: Iterable[str], etas: Cached) -> Reading[None]:
    """Add the missing ETAs to `etas`, by reference. Raise TornRead if the views show a line but not yet its batch."""
    unknown = [ref for ref in refs if ref not in etas]
    if not unknown:
        return
    found = yield from snapshot.hashes(*map(batch_key, unknown))
    if not all(found):
        raise TornRead
    etas.update((ref, stored_state(stored)["eta"]) for ref, stored in zip(unknown, found, strict=True))


def stored_state(stored: Mapping[str, str]) -> State:
    """Return the state of a batch. Raise ModelDamaged."""
    state: State = state_of(stored.get(STATE, ""), SHAPE)
    return state
