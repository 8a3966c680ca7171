"""A process that executes one Allocate and kills itself after the commit, before the fast path.

Arguments: the order id, the SKU, the quantity and, optionally, an idempotency key.
"""

import os
import signal
import sys

from allocation import components
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.domain.commands import Allocate
from allocation.entrypoints.http.idempotency_keys import key_of

bus = components.create_message_bus(
    create_postgres_engine(os.environ["DATABASE_URL"]), publish=lambda events: os.kill(os.getpid(), signal.SIGKILL)
)
orderid, sku, qty, *keys = sys.argv[1:]
command = Allocate(orderid, sku, int(qty))
bus.handle(command, key_of("- /allocate", keys[0], command) if keys else None)
