"""Bulkheads: each kind of request has threads of its own, and can't use those of another kind."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar, TypeVarTuple

from readmodel.web.answers import RETRY_LATER, Problem

LONGEST_WAIT = 0.05
"""Seconds that a request waits for a free thread."""

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class Bulkhead:
    """A limited number of threads. Only the event loop of the process uses it."""

    def __init__(self, kind: str, threads: int) -> None:
        self._kind = kind
        self._threads = ThreadPoolExecutor(threads, kind)
        self._free = asyncio.Semaphore(threads)

    async def run(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """Return the result of `work` in a free thread. Raise a Problem if no thread is free in time."""
        async with self.thread():
            return await self.call(work, *args)

    @asynccontextmanager
    async def thread(self) -> AsyncIterator[None]:
        """Keep a thread for the calls in the context. Raise a Problem if no thread is free in time."""
        if self._free.locked():
            try:
                async with asyncio.timeout(LONGEST_WAIT):
                    await self._free.acquire()
            except TimeoutError:
                message = f"The server is handling too many {self._kind}. Nothing was executed"
                raise Problem(503, message, RETRY_LATER) from None
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    async def call(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """Return the result of `work`. The caller has entered `thread`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
