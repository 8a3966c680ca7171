"""The history of an order: one entry for each event of its lines.

{<bucket>}:list:order-history:<orderid>  list  the latest events, by time, SKU and version

An entry's order is the time in milliseconds, and its name the SKU. Its value consists of the version and the content,
with NUL between them. The content is an array: the event, the quantity, the batch, why, and the actor, without null at
its end. The list keeps its last entries only, so a repeated event can't restore an older one.

In format 1, and if the setting ALLOCATION_HISTORY is 0, there is no history.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import orjson

from readmodel.store import keys
from readmodel.store.errors import ModelDamaged
from readmodel.store.formats import Format
from readmodel.store.lists import (
    FIRST_PAGE,
    Entry,
    ListEntry,
    PageRequest,
    ascending,
    list_key,
    member,
    page_of,
    range_of,
)
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.registers import (
    LONGEST_SHOWN,
    Shape,
    State,
    has_shape,
    is_number,
    is_text,
    is_text_or_null,
    number_of,
)
from readmodel.views import passed_over
from readmodel.views.kinds import Kind, ListOfEvents

HISTORY = "order-history"
CODES = {
    "Allocated": "A",
    "OutOfStock": "O",
    "Deallocated": "D",
    "Displaced": "P",
    "LineQuantityChanged": "Q",
    "Shipped": "S",
}
"""The stored name of each event. It never changes. An event of a newer release keeps its own name."""
EVENTS = {code: event for event, code in CODES.items()}
EPOCH, MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)


class NoHistory(Exception):
    """The views have no history of orders."""


def history_key(orderid: str) -> str:
    return list_key(HISTORY, keys.bucket_for(orderid), orderid)


class OrderHistoryView:
    """Adds each event of a line to the history of its order."""

    cached_members: ClassVar[dict[str, str]] = {}

    def __init__(self, target: Format) -> None:
        self._is_kept = target.kept > 0
        self._entries = list[Entry]()

    def apply(self, event: Mapping[str, Any]) -> None:
        line = event.get("line")
        if line is None:
            require_no_line(event)
        elif self._is_kept:
            self._entries.append(Entry(history_key(line["orderid"]), encode_entry(event, line)))

    def writes(self) -> Iterator[Entry]:
        yield from self._entries

    @staticmethod
    def written(_: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield nothing: a query of a list waits for the position of a token."""
        yield from ()

    @staticmethod
    def kinds(target: Format) -> dict[str, Kind]:
        return {HISTORY: ListOfEvents(event_of, lambda orderid: ("order", (orderid,)))} if target.kept else {}


def require_no_line(event: Mapping[str, Any]) -> None:
    """Raise KeyError if an event of this type must have a line. Otherwise its order would silently miss it."""
    if event["type"] in CODES:
        raise KeyError("line")


def encode_entry(event: Mapping[str, Any], line: Mapping[str, Any]) -> bytes:
    kind, why = event["type"], event.get("why")
    content = [CODES.get(kind, kind), line["qty"], line["batchref"], passed_over.pack(why), event.get("actor")]
    while content[-1] is None:
        content.pop()
    at = (datetime.fromisoformat(event["at"]) - EPOCH) // MILLISECOND
    value = f"{ascending(event['version'])}\0{orjson.dumps(content).decode()}"
    return member(ascending(at), event["sku"], value).encode()


def order_history(snapshot: Snapshot, orderid: str, wanted: PageRequest = FIRST_PAGE) -> Reading[State | None]:
    """Return {"orderid", "events": [{…}, …], "kept", "next"}, the oldest event first, or None if there is no order.

    An event is {"at", "event", "sku", "version", "qty", "batchref", "why", "actor"}. `why` and `actor` are null if the
    event has none. The history has at most the latest `kept` events. Raise NoHistory.
    """
    key = history_key(orderid)
    [found] = yield from snapshot.ranges(range_of(key, wanted))
    kept = snapshot.format.kept
    if not kept:
        raise NoHistory
    if not found and wanted.after is None:
        return None
    page = page_of(key, [found], wanted)
    return {"orderid": orderid, "events": list(map(decode_entry, page.entries)), "kept": kept, "next": page.next}


def decode_entry(entry: ListEntry) -> State:
    """Raise ModelDamaged."""
    _, version, text = parts_of(entry)
    try:
        content = orjson.loads(text)
        at = EPOCH + int(entry.order[1:]) * MILLISECOND
    except (ValueError, OverflowError) as error:
        raise damaged(entry) from error
    values = [*content, None, None, None][:5] if isinstance(content, list) else []
    if not has_shape(values, SHAPE):
        raise damaged(entry)
    code, qty, batchref, why, actor = values
    return {
        "at": at.isoformat(timespec="milliseconds"),
        "event": EVENTS.get(code, code),
        "sku": entry.name,
        "version": version,
        "qty": qty,
        "batchref": batchref,
        "why": passed_over.unpack(why),
        "actor": actor,
    }


SHAPE: Shape = {0: is_text, 1: is_number, 2: is_text_or_null, 3: passed_over.is_packed, 4: is_text_or_null}


def event_of(entry: ListEntry) -> tuple[str, int]:
    """Return the SKU and the version of an entry's event. Raise ModelDamaged."""
    sku, version, _ = parts_of(entry)
    return sku, version


def parts_of(entry: ListEntry) -> tuple[str, int, str]:
    text, _, content = entry.value.partition("\0")
    version = number_of(text[1:])
    if version is None or text != ascending(version):
        raise damaged(entry)
    return entry.name, version, content


def damaged(entry: ListEntry) -> ModelDamaged:
    return ModelDamaged(f"an entry of a history can't be parsed: {str(entry)[:LONGEST_SHOWN]!r}")
