"""Commands before, in and after a history that a failover loses. Their versions of the product S are known."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.support.api import Api
from tests.support.eventually import eventually

Commands = Sequence[tuple[str, dict[str, Any]]]

SHARED: Commands = (
    ("add_batch", {"ref": "b1", "sku": "S", "qty": 100}),
    ("allocate", {"orderid": "kept", "sku": "S", "qty": 3}),
    ("allocate", {"orderid": "moved", "sku": "S", "qty": 5}),
)
LOST: Commands = (
    ("allocate", {"orderid": "lost-1", "sku": "S", "qty": 1}),
    ("allocate", {"orderid": "lost-2", "sku": "S", "qty": 1}),
    ("change_line_quantity", {"orderid": "kept", "sku": "S", "qty": 4}),
    ("deallocate", {"orderid": "moved", "sku": "S"}),
    ("allocate_order", {"orderid": "lost-3", "lines": [{"sku": "S", "qty": 2}]}),
    ("add_batch", {"ref": "lost-b", "sku": "LOST", "qty": 9}),
    ("allocate", {"orderid": "lost-4", "sku": "LOST", "qty": 9}),
)
NEW: Commands = (("ship", {"orderid": "moved", "sku": "S"}),)

LOST_ORDERS = ("lost-1", "lost-2", "lost-3", "lost-4")
LOST_LINES = f"SELECT count(*) FROM order_lines WHERE orderid IN {LOST_ORDERS}"
DEALLOCATED_AT, SHIPPED_AT, LAST_LOST_VERSION = 7, 4, 8
"""The versions of the order `moved` in the lost and in the new history, and the last version of S in the lost one."""


def execute(api: Api, commands: Commands) -> None:
    """Execute the commands. Repeat a command after a 503: its worker has no connection to the new server yet."""
    for route, body in commands:
        status = eventually(partial(status_unless_503, api, route, body))
        assert status in {201, 202}, route


def status_unless_503(api: Api, route: str, body: dict[str, Any]) -> int | None:
    status = api.post(route, body).status
    return None if status == 503 else status


def line(api: Api, orderid: str) -> tuple[str, int, int]:
    """Return the status, the quantity and the version of the order's only line."""
    [found] = api.get("orders", orderid).json["lines"]
    return found["status"], found["qty"], found["version"]


def assert_lost_history_shows(api: Api) -> None:
    assert [api.get("orders", orderid).status for orderid in LOST_ORDERS] == [200] * 4
    assert line(api, "moved") == ("deallocated", 5, DEALLOCATED_AT)


def assert_new_history_shows(api: Api) -> None:
    """The lost history leaves no trace. The registers of the new history are right, though their versions are lower."""
    assert [api.get("orders", orderid).status for orderid in LOST_ORDERS] == [404] * 4
    assert line(api, "moved") == ("shipped", 5, SHIPPED_AT)
    assert line(api, "kept") == ("allocated", 3, 2)
    assert [api.get(kind, name).status for kind, name in (("batches", "lost-b"), ("products", "LOST"))] == [404, 404]
    assert api.get("batches", "b1").json["available"] == 92
