"""A service process that is killed between the commit of a command and its fast path."""

import os
import signal
import sys

from allocation import bootstrap
from allocation.adapters.unit_of_work import engine_for
from allocation.domain.commands import Allocate

bus = bootstrap.message_bus(
    engine_for(os.environ["DATABASE_URL"]), committed=lambda events: os.kill(os.getpid(), signal.SIGKILL)
)
bus.handle(Allocate(sys.argv[1], sys.argv[2], int(sys.argv[3])))
