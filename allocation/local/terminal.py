"""The terminal that the service runs in."""

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def foreground() -> Iterator[int | None]:
    """Be the terminal's foreground group, where a make that started the service is so far.

    A Ctrl-C would reach that make too, which then reports an interrupt whatever the service's exit code. In return
    Ctrl-Z does nothing: it would stop the service alone, and make would wait for it for ever. Yields the terminal's
    file descriptor, or None where there is no terminal.
    """
    terminal, group = of_this_process(), os.getpgrp()
    if terminal is None or group == os.getpid() or os.tcgetpgrp(terminal) != group:
        yield terminal
        return
    signal.signal(signal.SIGTSTP, lambda *_: None)
    os.setpgid(0, 0)
    give(terminal, os.getpgrp())
    try:
        yield terminal
    finally:
        with suppress(OSError):  # It was closed.
            give(terminal, group)


def of_this_process() -> int | None:
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        return None
    return sys.stdin.fileno()


def is_hung_up(terminal: int | None) -> bool:
    """Whether the terminal was closed. Its signal may have gone to a make alone, which waits for the service."""
    if terminal is None:
        return False
    poll = select.poll()
    poll.register(terminal, select.POLLHUP)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def give(terminal: int, group: int) -> None:
    """Make the group the foreground one. Who is in the background would be stopped for that by SIGTTOU."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(terminal, group)
    finally:
        signal.signal(signal.SIGTTOU, before)
