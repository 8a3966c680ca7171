"""Out-of-stock events, and a mail client that sends notices of them to a test's mail server."""

from typing import Any

from allocation.adapters.smtp import Mail
from allocation.service_layer.out_of_stock import Notice, notice
from allocation.service_layer.unit_of_work import LoggedEvent

SENDER, RECIPIENT = "allocations@example.com", "stock@example.com"


def mail_to(url: str, **options: Any) -> Mail:
    return Mail(url, SENDER, RECIPIENT, **options)


def out_of_stock(sku: str, orderid: str = "o1", qty: int = 5, version: int = 7) -> LoggedEvent:
    return {
        "type": "OutOfStock",
        "sku": sku,
        "version": version,
        "waiting": {"lines": 3, "units": 12},
        "line": {"orderid": orderid, "qty": qty, "status": "waiting", "batchref": None},
    }


def notice_of(sku: str) -> Notice:
    return notice(sku, [out_of_stock(sku)])
