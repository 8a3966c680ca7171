"""A process that executes one Allocate, and stops itself with SIGSTOP between the commit and the fast path.

Arguments: the order id, the SKU and the quantity.
"""

import os
import signal
import sys

from allocation import components
from allocation.config import load_settings
from allocation.domain.commands import Allocate
from allocation.service_layer.unit_of_work import CommittedEvents


def main() -> None:
    settings = load_settings()
    fast_path = components.create_fast_path(settings)

    def stop_and_publish(events: CommittedEvents) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        fast_path(events)

    bus = components.create_message_bus(components.create_engine(settings), stop_and_publish)
    orderid, sku, qty = sys.argv[1:]
    bus.handle(Allocate(orderid, sku, int(qty)))


if __name__ == "__main__":
    main()
