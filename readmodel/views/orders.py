"""The view of an order: the state of each line. A line holds its batch's reference, and queries add the ETA.

{<bucket>}:order:<orderid>     hash  one register for each SKU: qty, status, batchref, why
{<bucket>}:list:waiting:<sku>  list  the waiting lines of the SKU whose orders are in this bucket, by place

A register is an array without null at its end. It has the passed-over batches as arrays, too: ref, eta, available.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from readmodel.store import keys
from readmodel.store.errors import ModelDamaged
from readmodel.store.formats import Format
from readmodel.store.lists import FIRST_PAGE, PageRequest, ascending, list_key, parse_entry
from readmodel.store.reads.divided_lists import divided_page
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
    is_text_or_null,
)
from readmodel.views import format_1, passed_over
from readmodel.views.batches import add_etas
from readmodel.views.kinds import Kind, ListOfRegisters, Registers
from readmodel.views.order_history import require_no_line
from readmodel.views.products import product_totals, totals_range

STATUSES = ("allocated", "waiting", "deallocated", "shipped")
"""A register stores the index of the status. So the order never changes."""
SHAPE: Shape = {0: is_number, 1: lambda status: is_number(status) and status < len(STATUSES)}
WAITING_LIST = "waiting"


@keys.cached
def order_key(orderid: str) -> str:
    return keys.view_key("order", orderid)


def waiting_key(bucket: str, sku: str) -> str:
    return list_key(WAITING_LIST, bucket, sku)


class OrderView:
    """Folds events to the registers of order lines."""

    cached_members: ClassVar[dict[str, str]] = {}

    def __init__(self, target: Format) -> None:
        self._has_lists = target.has_lists
        self._latest: dict[tuple[str, str], tuple[int, bytes]] = {}

    def apply(self, event: Mapping[str, Any]) -> None:
        line = event.get("line")
        if line is None:
            require_no_line(event)
            return
        version = event["version"]
        name = line["orderid"], event["sku"]
        known = self._latest.get(name)
        if known is None or known[0] < version:
            # Encode immediately, because it is slow to keep many states. Few lines have two events in a page.
            encoded = (encode_line if self._has_lists else format_1.encode_line)(version, line, event.get("why"))
            self._latest[name] = version, encoded

    def writes(self) -> Iterator[Register]:
        for (orderid, sku), (version, value) in self._latest.items():
            key = order_key(orderid)
            lists = (waiting_key(keys.bucket_of(key), sku),) if self._has_lists else ()
            yield Register(key, sku, version, value, lists=lists, name=orderid)

    @staticmethod
    def written(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if "line" in event:
            yield order_key(event["line"]["orderid"]), event["sku"]

    @staticmethod
    def kinds(target: Format) -> dict[str, Kind]:
        found: dict[str, Kind] = {
            "order": Registers(
                row_of=lambda orderid, sku: ("line", (orderid, sku)), row_of_key=lambda orderid: ("order", (orderid,))
            )
        }
        if target.has_lists:
            found[WAITING_LIST] = ListOfRegisters(
                register_of=lambda sku, orderid: (order_key(orderid), sku),
                row_of=lambda sku, orderid: ("line", (orderid, sku)),
                number=1,
                row_of_key=lambda sku: ("product", (sku,)),
            )
        return found


def encode_line(version: int, line: Mapping[str, Any], why: Sequence[Mapping[str, Any]] | None) -> bytes:
    """Return the stored value of a line.

    An event of release 0.2.0 has no place. Then the version of the event replaces it: that is the place of each line
    which has waited since this event.
    """
    status, batchref = line["status"], line["batchref"]
    state = [line["qty"], STATUSES.index(status)]
    if why is not None:
        state += (batchref, passed_over.pack(why))
    elif batchref is not None:
        state.append(batchref)
    return encode(version, state, ascending(line.get("place", version)) if status == "waiting" else "")


def allocations(snapshot: Snapshot, orderid: str) -> Reading[list[State]]:
    """Return the lines that have a batch, as {"sku", "batchref"}, sorted by SKU."""
    [stored] = yield from snapshot.hashes(order_key(orderid))
    return [
        {"sku": line["sku"], "batchref": line["batchref"]}
        for line in stored_lines(stored, snapshot.format)
        if line["batchref"] is not None
    ]


def order(snapshot: Snapshot, orderid: str, *, explain: bool = False) -> Reading[State | None]:
    """Return {"orderid", "lines": [{"sku", "qty", "status", "batchref", "version", "eta"}, …]}, sorted by SKU.

    Return None if the order does not exist. With `explain`, each line has `why`: the batches that were passed over
    because they had too little stock. It is a list of at most five {"ref", "eta", "available"}, in order of preference.
    It is None if the line got the first batch with stock, or has changed since.
    """
    [found] = yield from orders(snapshot, [orderid], explain=explain)
    return found


def orders(snapshot: Snapshot, orderids: Sequence[str], *, explain: bool = False) -> Reading[list[State | None]]:
    """Return what `order` returns for each of the orders, in the same number of trips."""
    hashes, etas = yield from snapshot.hashes_and_cache(*map(order_key, orderids))
    lines_of = [stored_lines(stored, snapshot.format) for stored in hashes]
    refs = {line["batchref"] for lines in lines_of for line in lines if line["batchref"] is not None}
    yield from add_etas(snapshot, refs, etas)
    return [
        {"orderid": orderid, "lines": [with_eta(line, etas, explain) for line in lines]} if lines else None
        for orderid, lines in zip(orderids, lines_of, strict=True)
    ]


def waiting_list(snapshot: Snapshot, sku: str, wanted: PageRequest = FIRST_PAGE) -> Reading[State | None]:
    """Return {"sku", "waiting": {"lines", "units"}, "lines": [{"orderid", "qty"}, …], "next"}, the oldest line first.

    Return None if the SKU never had a batch.
    """
    page, [totals] = yield from divided_page(snapshot, partial(waiting_key, sku=sku), wanted, totals_range(sku))
    if not totals:
        return None
    lines = [{"orderid": entry.name, "qty": decode_line(sku, entry.value)["qty"]} for entry in page.entries]
    waiting = product_totals(parse_entry(totals[0]))["waiting"]
    return {"sku": sku, "waiting": waiting, "lines": lines, "next": page.next}


def stored_lines(stored: Mapping[str, str], found: Format) -> list[State]:
    """Return the lines of an order, sorted by SKU, each with its `why`: None if the event had no reason."""
    decode_any = decode_line if found.has_lists else format_1.decode_line
    return [decode_any(sku, stored[sku]) for sku in sorted(stored)]


def decode_line(sku: str, value: str) -> State:
    """Return {"sku", "qty", "status", "batchref", "version", "why"}. Raise ModelDamaged."""
    version, (qty, status, *rest) = decode(value, SHAPE)
    batchref, why = [*rest, None, None][:2]
    if not is_text_or_null(batchref) or not passed_over.is_packed(why):
        raise ModelDamaged(f"the batch or the reason of a line has another shape: {value[:LONGEST_SHOWN]!r}")
    return {
        "sku": sku,
        "qty": qty,
        "status": STATUSES[status],
        "batchref": batchref,
        "version": version,
        "why": passed_over.unpack(why),
    }


def with_eta(line: State, etas: Mapping[str, str | None], explain: bool) -> State:
    why = line.pop("why")
    line["eta"] = etas.get(line["batchref"])
    return line | {"why": why} if explain else line
