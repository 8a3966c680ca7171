"""A promise: the batch that a line of some quantity would get now. The view of its product has the answer."""

from readmodel.store.errors import TornRead
from readmodel.store.lists import PageRequest
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.registers import State
from readmodel.views.products import batch_with_room, totals_and_room

FIRST_BATCHES, MOST_BATCHES = 50, 2_000
"""Batches that a promise reads in its first trip, and the most that it reads in a later one."""


def promise(snapshot: Snapshot, sku: str, qty: int) -> Reading[State | None]:
    """Return what a line of this quantity would get now: {"sku", "qty", "status", "batchref", "eta", "behind"}.

    If no batch has room for it, the status is "waiting", and `behind` is the {"lines", "units"} that already wait.
    Return None if the SKU never had a batch. Each trip reads the next batches with room, in order of preference, until
    one has enough. Raise TornRead if the product changes between two trips: a batch could get room behind the reader.
    """
    wanted, version = PageRequest(FIRST_BATCHES), None
    while True:
        found = yield from totals_and_room(snapshot, sku, wanted)
        if found is None:
            return None
        state, page = found
        if version not in {None, state["version"]}:
            raise TornRead
        version = state["version"]
        chosen = next((one for one in map(batch_with_room, page.entries) if one["available"] >= qty), None)
        if chosen is not None:
            return promised(sku, qty, "allocated", chosen["ref"], chosen["eta"], None)
        if page.next is None or state["available"] < qty:
            return promised(sku, qty, "waiting", None, None, state["waiting"])
        wanted = PageRequest(min(4 * wanted.limit, MOST_BATCHES), page.next)


def promised(sku: str, qty: int, status: str, ref: str | None, eta: str | None, behind: State | None) -> State:
    return {"sku": sku, "qty": qty, "status": status, "batchref": ref, "eta": eta, "behind": behind}
