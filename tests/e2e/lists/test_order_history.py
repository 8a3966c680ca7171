"""The history of an order: what happened to its lines."""

from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.support.api import Api
from tests.support.e2e.lists import entries


def change_everything(api: Api) -> None:
    """Allocate, displace, change and ship a line of OH, and let a line of OH-2 wait until it is deallocated."""
    api.add_batch("oh-1", "OH", 10)
    api.add_batch("oh-2", "OH", 5, "2027-01-15")
    api.add_batch("oh-3", "OH-2", 1)
    api.allocate("oh-other", "OH", 6)
    api.allocate("oh", "OH", 4)
    api.allocate("oh", "OH-2", 7)
    api.post("change_batch_quantity", {"ref": "oh-1", "qty": 8})
    api.post("change_line_quantity", {"orderid": "oh", "sku": "OH", "qty": 3})
    api.post("change_line_quantity", {"orderid": "oh", "sku": "OH-2", "qty": 8})
    api.post("ship", {"orderid": "oh", "sku": "OH"})
    answer = api.post("deallocate", {"orderid": "oh", "sku": "OH-2"})
    assert answer.status == 202, answer.body


def event(kind: str, sku: str, version: int, qty: int, batchref: str | None = None, why: Any = None) -> dict[str, Any]:
    return {
        "event": kind,
        "sku": sku,
        "version": version,
        "qty": qty,
        "batchref": batchref,
        "why": why,
        "actor": None,
    }


LITTLE = [{"ref": "oh-3", "eta": None, "available": 1}]
EVENTS = [
    event("Allocated", "OH", 4, 4, "oh-1"),
    event("OutOfStock", "OH-2", 2, 7, why=LITTLE),
    event("Displaced", "OH", 5, 4),
    event("Allocated", "OH", 7, 4, "oh-2", [{"ref": "oh-1", "eta": None, "available": 2}]),
    event("LineQuantityChanged", "OH", 8, 3, "oh-2"),
    event("LineQuantityChanged", "OH-2", 3, 8),
    event("OutOfStock", "OH-2", 4, 8, why=LITTLE),
    event("Shipped", "OH", 9, 3, "oh-2"),
    event("Deallocated", "OH-2", 5, 8),
]


def test_a_history_has_each_event_of_the_lines_in_order(shared_api: Api) -> None:
    change_everything(shared_api)
    answer = shared_api.get("orders", "oh", "history").json
    moments = [found.pop("at") for found in answer["events"]]
    assert answer == {"orderid": "oh", "events": EVENTS, "kept": 100, "next": None}
    assert moments == sorted(moments)
    assert all(datetime.fromisoformat(moment).isoformat(timespec="milliseconds") == moment for moment in moments)
    assert all(moment.endswith("+00:00") for moment in moments)
    # One transaction has one moment: the line was displaced and got another batch. A page may end between the two.
    assert moments[2] == moments[3]
    for limit in (1, 2, 3):
        paged = entries(shared_api, "/orders/oh/history", "events", limit=limit)
        assert [found["version"] for found in paged] == [found["version"] for found in EVENTS]
    other = shared_api.get("orders", "oh-other", "history").json
    assert [found | {"at": ""} for found in other["events"]] == [event("Allocated", "OH", 3, 6, "oh-1") | {"at": ""}]


def test_a_repeated_command_adds_nothing_to_a_history(shared_api: Api) -> None:
    shared_api.add_batch("or-1", "OR", 10)
    shared_api.allocate("or", "OR", 4)
    before = shared_api.get("orders", "or", "history").json
    shared_api.add_batch("or-1", "OR", 10)
    shared_api.allocate("or", "OR", 4)
    assert shared_api.post("allocate", {"orderid": "or", "sku": "OR", "qty": 5}).status == 409
    assert shared_api.get("orders", "or", "history").json == before
    assert len(before["events"]) == 1


def test_a_history_keeps_the_latest_100_events(shared_api: Api) -> None:
    shared_api.add_batch("hk-1", "HK", 1_000)
    shared_api.allocate("hk", "HK", 1)
    for qty in range(2, 124):
        shared_api.post("change_line_quantity", {"orderid": "hk", "sku": "HK", "qty": qty})
    found = shared_api.request("GET", "/orders/hk/history?limit=100").json
    assert [event["qty"] for event in found["events"]] == list(range(24, 124))
    assert (found["kept"], found["next"]) == (100, None)
    assert all(first["version"] + 1 == second["version"] for first, second in pairwise(found["events"]))
