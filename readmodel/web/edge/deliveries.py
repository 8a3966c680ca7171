"""Passes results from threads to the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


class Deliveries(Generic[T]):
    """One wake-up of the event loop delivers all results that are ready. A wake-up for each would cost much more."""

    def __init__(self) -> None:
        self._ready = deque[tuple[asyncio.Future[T], T]]()
        self._is_due = False

    def expect(self) -> tuple[asyncio.Future[T], Callable[[T], None]]:
        """Return a future result, and the function that sets it. Any thread may call the function."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        return future, partial(self._deliver, loop, future)

    def _deliver(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], result: T) -> None:
        self._ready.append((future, result))
        if not self._is_due and not loop.is_closed():
            self._is_due = True
            loop.call_soon_threadsafe(self._deliver_all)

    def _deliver_all(self) -> None:
        self._is_due = False  # Before the deque is empty: a result that comes now causes another wake-up.
        while self._ready:
            future, result = self._ready.popleft()
            if not future.done():  # The client may have gone.
                future.set_result(result)
