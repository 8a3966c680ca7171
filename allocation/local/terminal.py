"""The terminal that the service runs in."""

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def terminal() -> int | None:
    """The terminal's file descriptor; None where there is none."""
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        return None
    return sys.stdin.fileno()


def is_hung_up() -> bool:
    """Whether the terminal was closed. Its signal may have gone to a make alone, which waits for the service."""
    descriptor = terminal()
    if descriptor is None:
        return False
    poll = select.poll()
    poll.register(descriptor, select.POLLHUP)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


@contextmanager
def foreground() -> Iterator[None]:
    """Be the terminal's foreground group, where a make that started the service is so far.

    A Ctrl-C would reach that make too, which then reports an interrupt whatever the service's exit code. In return
    Ctrl-Z does nothing: it would stop the service alone, and make would wait for it for ever.
    """
    descriptor, group = terminal(), os.getpgrp()
    if descriptor is None or group == os.getpid() or os.tcgetpgrp(descriptor) != group:
        yield
        return
    signal.signal(signal.SIGTSTP, lambda *_: None)
    os.setpgid(0, 0)
    give(descriptor, os.getpgrp())
    try:
        yield
    finally:
        with suppress(OSError):  # It was closed.
            give(descriptor, group)


def give(descriptor: int, group: int) -> None:
    """Make the group the foreground one. Who is in the background would be stopped for that by SIGTTOU."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(descriptor, group)
    finally:
        signal.signal(signal.SIGTTOU, before)
