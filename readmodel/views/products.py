"""The view of a product: its totals, and its batches with room.

{<bucket>}:product:<sku>    hash  register "totals": available, waiting lines, waiting units
{<bucket>}:stock:<sku>      hash  one register for each batch, by its reference: qty, allocated
{<bucket>}:list:room:<sku>  list  the batches with room, by ETA and reference: a line gets the first one that fits
{<bucket>}:list:products:   list  the totals of all products of the bucket, by SKU
{<bucket>}:list:short:      list  the totals of those with waiting lines: the most waiting units first, then by SKU
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from readmodel.store import keys
from readmodel.store.errors import TornRead
from readmodel.store.formats import Format
from readmodel.store.lists import (
    FIRST,
    FIRST_PAGE,
    ListEntry,
    Page,
    PageRequest,
    Range,
    descending,
    list_key,
    page_of,
    parse_entry,
    range_of,
    the_entry,
)
from readmodel.store.reads.divided_lists import divided_page
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.registers import Register, Shape, State, decode, encode, is_number, state_of
from readmodel.views import format_1
from readmodel.views.kinds import Kind, ListOfRegisters, Registers

TOTALS, ALL, SHORT, ROOM = "totals", "products", "short", "room"
TOTALS_SHAPE: Shape = {0: is_number, 1: is_number, 2: is_number}
BATCH_SHAPE: Shape = {0: is_number, 1: is_number}


@keys.cached
def product_key(sku: str) -> str:
    return keys.view_key("product", sku)


@keys.cached
def stock_key(sku: str) -> str:
    return keys.view_key("stock", sku)


def room_key(sku: str) -> str:
    return list_key(ROOM, keys.bucket_for(sku), sku)


class ProductView:
    """Folds events to the registers of products."""

    cached_members: ClassVar[dict[str, str]] = {}

    def __init__(self, target: Format) -> None:
        self._totals_of, self._batch_of = (totals, batch) if target.has_lists else (format_1.totals, format_1.batch)
        self._totals: dict[str, tuple[int, Mapping[str, Any]]] = {}
        self._batches: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}

    def apply(self, event: Mapping[str, Any]) -> None:
        sku, version = event["sku"], event["version"]
        known = self._totals.get(sku)
        if known is None or known[0] < version:
            self._totals[sku] = version, event
        for state in event["batches"]:
            name = sku, state["ref"]
            known_batch = self._batches.get(name)
            if known_batch is None or known_batch[0] < version:
                self._batches[name] = version, state

    def writes(self) -> Iterator[Register]:
        """Yield the registers of each product together, because one call must write them."""
        batches_of = defaultdict[str, list[Register]](list)
        for (sku, _), (version, state) in self._batches.items():
            batches_of[sku].append(self._batch_of(sku, version, state))
        for sku, (version, event) in self._totals.items():
            yield self._totals_of(sku, version, event["available"], event["waiting"])
            yield from batches_of[sku]

    @staticmethod
    def written(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield each batch as if it had room. If the event has filled it, a query waits for the relay."""
        key = product_key(event["sku"])
        yield key, TOTALS
        for state in event["batches"]:
            yield key, f"{format_1.IN_PRODUCT}{state['ref']}"

    @staticmethod
    def kinds(target: Format) -> dict[str, Kind]:
        if not target.has_lists:
            return format_1.kinds()
        return {
            "product": Registers(
                lambda sku, field: ("product", (sku,)) if field == TOTALS else None, lambda sku: ("product", (sku,))
            ),
            "stock": Registers(lambda sku, ref: ("stock", (sku, ref)), lambda sku: ("product", (sku,))),
            ROOM: ListOfRegisters(
                register_of=lambda sku, ref: (stock_key(sku), ref),
                row_of=lambda _, ref: ("batch", (ref,)),
                number=1,
                row_of_key=lambda sku: ("product", (sku,)),
            ),
            ALL: list_of_totals(1),
            SHORT: list_of_totals(2),
        }


def list_of_totals(number: int) -> ListOfRegisters:
    return ListOfRegisters(lambda _, sku: (product_key(sku), TOTALS), lambda _, sku: ("product", (sku,)), number)


def totals(sku: str, version: int, available: int, waiting: Mapping[str, int]) -> Register:
    lines, units, bucket = waiting["lines"], waiting["units"], keys.bucket_for(sku)
    value = encode(version, [available, lines, units], FIRST, descending(units) if lines else "")
    lists = list_key(ALL, bucket), list_key(SHORT, bucket)
    return Register(product_key(sku), TOTALS, version, value, lists=lists, name=sku)


def batch(sku: str, version: int, state: Mapping[str, Any]) -> Register:
    ref, qty, allocated = state["ref"], state["qty"], state["allocated"]
    value = encode(version, [qty, allocated], (state["eta"] or FIRST) if allocated < qty else "")
    return Register(stock_key(sku), ref, version, value, lists=(room_key(sku),), name=ref)


def product(snapshot: Snapshot, sku: str, wanted: PageRequest = FIRST_PAGE) -> Reading[State | None]:
    """Return {"sku", "available", "waiting": {"lines", "units"}, "batches": [{…}, …], "version", "next"}.

    `batches` holds a page of the batches with room, in order of preference: {"ref", "qty", "allocated", "eta",
    "available"}. Return None if the SKU never had a batch.
    """
    if not snapshot.format.has_lists:
        return (yield from format_1.product(snapshot, sku))
    found = yield from totals_and_room(snapshot, sku, wanted)
    if found is None:
        return None
    state, page = found
    with_room = list(map(batch_with_room, page.entries))
    return state | {"batches": with_room, "version": state.pop("version"), "next": page.next}


def products(snapshot: Snapshot, wanted: PageRequest = FIRST_PAGE, *, short: bool = False) -> Reading[State]:
    """Return {"products": [{"sku", "available", "waiting": {"lines", "units"}, "version"}, …], "next"}, by SKU.

    If `short`, return only the products with waiting lines: the most waiting units first, and then by SKU.
    """
    page, _ = yield from divided_page(snapshot, partial(list_key, SHORT if short else ALL), wanted)
    return {"products": list(map(product_totals, page.entries)), "next": page.next}


def totals_and_room(snapshot: Snapshot, sku: str, wanted: PageRequest) -> Reading[tuple[State, Page] | None]:
    """Return the totals and a page of the batches with room, or None.

    One call writes both. So they match if the totals are the same before and after the batches, unless an older event
    of the product is late. Otherwise, raise TornRead.
    """
    own, room = totals_range(sku), range_of(room_key(sku), wanted)
    before, batches, after = yield from snapshot.ranges(own, room, own, registers=registers_of)
    if before != after:
        raise TornRead
    return (product_totals(parse_entry(before[0])), page_of(room.key, [batches], wanted)) if before else None


def registers_of(found: Sequence[Sequence[str]]) -> dict[str, dict[str, str]]:
    """Return the registers in the replies of `totals_and_room` as `written` names them: by key and by field."""
    own, batches, _ = found
    if not own:
        return {}
    entry = parse_entry(own[0])
    fields = {f"{format_1.IN_PRODUCT}{one.name}": one.value for one in map(parse_entry, batches)}
    return {product_key(entry.name): {TOTALS: entry.value} | fields}


def totals_range(sku: str) -> Range:
    return the_entry(list_key(ALL, keys.bucket_for(sku)), FIRST, sku)


def product_totals(entry: ListEntry) -> State:
    version, (available, lines, units, *_) = decode(entry.value, TOTALS_SHAPE)
    waiting = {"lines": lines, "units": units}
    return {"sku": entry.name, "available": available, "waiting": waiting, "version": version}


def batch_with_room(entry: ListEntry) -> State:
    qty, allocated, *_ = state_of(entry.value, BATCH_SHAPE)
    eta = None if entry.order == FIRST else entry.order
    return {"ref": entry.name, "qty": qty, "allocated": allocated, "eta": eta, "available": qty - allocated}
