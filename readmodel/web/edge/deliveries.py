"""Passes results from threads to the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


class Deliveries(Generic[T]):
    """One wake-up of the event loop delivers all results that are ready. A wake-up for each would cost much more.

    All its futures belong to the event loop of the process.
    """

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
        if not self._is_due:
            self._is_due = True
            with suppress(RuntimeError):  # The loop is closed, and nobody waits for the result any more.
                loop.call_soon_threadsafe(self._deliver_all)

    def _deliver_all(self) -> None:
        self._is_due = False  # Reset first: a result that arrives during the loop schedules another wake-up.
        while self._ready:
            future, result = self._ready.popleft()
            if not future.done():  # The client may have gone.
                future.set_result(result)
