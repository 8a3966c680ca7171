import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(observe: Callable[[], T], *, within: float = 15.0) -> T:
    """What `observe` returns, as soon as that is true and it raises no AssertionError."""
    deadline = time.monotonic() + within
    while True:
        try:
            seen = observe()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        else:
            if seen:
                return seen
            assert time.monotonic() < deadline, f"Still {seen!r} after {within} s"
        time.sleep(0.02)
