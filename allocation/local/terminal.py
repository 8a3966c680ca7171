"""Takes the terminal's Ctrl-C for the service alone."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def foreground() -> Iterator[None]:
    """Be the terminal's foreground group, where a make that shares the group is.

    A Ctrl-C would reach make too, which then reports an interrupt whatever the service's exit code. In return Ctrl-Z is
    ignored: it would stop the service, and make would wait for it for ever.
    """
    terminal, group = sys.stdin.fileno(), os.getpgrp()
    if not os.isatty(terminal) or os.tcgetpgrp(terminal) != group or group == os.getpid():
        yield
        return
    for ignored in (signal.SIGTSTP, signal.SIGTTOU):  # SIGTTOU: or the terminal could not be given back.
        signal.signal(ignored, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(terminal, group)
