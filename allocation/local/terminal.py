"""Manages the terminal that the service runs in."""

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def foreground() -> Iterator[int | None]:
    """Become the terminal's foreground process group, in place of the make that started the service.

    Otherwise a Ctrl-C would also reach make, which then reports an interrupt whatever the service's exit code is. The
    service ignores Ctrl-Z: that would stop only the service, and make would wait for it for ever. Yields the terminal's
    file descriptor, or None if there is no terminal.
    """
    terminal, group = of_this_process(), os.getpgrp()
    if terminal is None or group == os.getpid() or os.tcgetpgrp(terminal) != group:
        yield terminal
        return
    signal.signal(signal.SIGTSTP, lambda *_: None)
    os.setpgid(0, 0)
    set_foreground(terminal, os.getpgrp())
    try:
        yield terminal
    finally:
        with suppress(OSError):  # It was closed.
            set_foreground(terminal, group)


def of_this_process() -> int | None:
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        return None
    return sys.stdin.fileno()


def is_hung_up(terminal: int | None) -> bool:
    """Return whether the terminal was closed. The signal may only have reached make, which waits for the service."""
    if terminal is None:
        return False
    poll = select.poll()
    poll.register(terminal, select.POLLHUP)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def set_foreground(terminal: int, group: int) -> None:
    """Make the group the foreground one. Without ignoring SIGTTOU, a background process would be stopped for that."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(terminal, group)
    finally:
        signal.signal(signal.SIGTTOU, before)
