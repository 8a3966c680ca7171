"""Controls the terminal in which the service runs."""

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def foreground() -> Iterator[int | None]:
    """Yield the terminal's file descriptor, or None if there is no terminal.

    If make started the service, make and the service share the terminal's foreground process group. The service then
    forms its own foreground group until the context ends. Otherwise Ctrl-C would also reach make, and make would report
    an interrupt even if the service succeeds.

    In its own group, the service ignores Ctrl-Z. Otherwise Ctrl-Z would suspend only the service, and make would wait
    forever.
    """
    terminal, group = terminal_of_stdin(), os.getpgrp()
    if terminal is None or group == os.getpid() or os.tcgetpgrp(terminal) != group:
        yield terminal
        return
    signal.signal(signal.SIGTSTP, lambda *_: None)
    os.setpgid(0, 0)
    set_foreground(terminal, os.getpgrp())
    try:
        yield terminal
    finally:
        with suppress(OSError):  # The terminal may be closed.
            set_foreground(terminal, group)


def terminal_of_stdin() -> int | None:
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        return None
    return sys.stdin.fileno()


def is_hung_up(terminal: int | None) -> bool:
    """Return True if the terminal is closed.

    SIGHUP does not suffice: the kernel may send it only to make, and make waits for the service.
    """
    if terminal is None:
        return False
    poll = select.poll()
    poll.register(terminal, select.POLLHUP)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def set_foreground(terminal: int, group: int) -> None:
    """Make the group the terminal's foreground process group.

    Ignore SIGTTOU during the call. Otherwise the kernel would suspend a caller that is in the background.
    """
    former = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(terminal, group)
    finally:
        signal.signal(signal.SIGTTOU, former)
