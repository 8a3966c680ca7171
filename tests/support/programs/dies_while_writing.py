"""A run of allocate-from-csv that ends before its time.

`kill` N: by SIGKILL, before it opens, renames or removes a file for the Nth time. `die` N and `fail` N: in the middle
of writing, once a file has N bytes, by the kernel's signal or by an error.
"""

import os
import resource
import signal
import sys
from itertools import count

from allocation.entrypoints.cli.main import main

folder, end, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
seen = count(1)
sys.dont_write_bytecode = True  # The limit is for the files of the folder.


def spy(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"open", "os.rename", "os.remove"} and folder in str(arguments[0]) and next(seen) == limit:
        os.kill(os.getpid(), signal.SIGKILL)


if end == "kill":
    sys.addaudithook(spy)
else:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if end == "die" else signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
main(["allocate-from-csv", folder])
