"""A run of allocate-from-csv that ends early.

Arguments: the folder, `kill`, `die` or `fail`, and a number N. With `kill`, the process sends SIGKILL to itself before
it opens, renames or removes a file for the Nth time. With `die` and `fail`, no file may exceed N bytes. A write beyond
that ends the process by a signal (`die`), or raises an OSError (`fail`).
"""

import os
import resource
import signal
import sys
from itertools import count

from allocation.entrypoints.cli.main import main

folder, ending, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
seen = count(1)
sys.dont_write_bytecode = True  # A compiled module could exceed the limit, too.


def kill_at_limit(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"open", "os.rename", "os.remove"} and folder in str(arguments[0]) and next(seen) == limit:
        os.kill(os.getpid(), signal.SIGKILL)


if ending == "kill":
    sys.addaudithook(kill_at_limit)
else:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if ending == "die" else signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
main(["allocate-from-csv", folder])
