"""A service process that is killed between the commit of a command and its fast path."""

import os
import signal
import sys

from allocation import bootstrap
from allocation.adapters.postgres.unit_of_work import engine_for
from allocation.domain.commands import Allocate
from allocation.entrypoints.http.idempotency_keys import key

bus = bootstrap.message_bus(
    engine_for(os.environ["DATABASE_URL"]), committed=lambda events: os.kill(os.getpid(), signal.SIGKILL)
)
orderid, sku, qty, *keys = sys.argv[1:]
command = Allocate(orderid, sku, int(qty))
bus.handle(command, key("- /allocate", keys[0], command) if keys else None)
