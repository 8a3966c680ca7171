"""Bulkheads: each kind of request has a limit and threads of its own, and can't use those of another kind."""

import asyncio
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, TypeVarTuple

from readmodel.web.answers import RETRY_LATER, Problem
from readmodel.web.edge.deliveries import Deliveries

LONGEST_WAIT = 0.05
"""Seconds that a request waits for its turn."""

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


Result = tuple[Any, Exception | None]
Refused = Callable[[str], object]
"""Gets the kind of a request that had to wait too long."""


def ignore(_: str) -> None:
    return


class Limit:
    """Limits the requests of one kind that the process serves at the same time. Only its event loop uses it.

    A request enters the context, or raises a Problem if it would wait too long. Any thread may read `in_use`.
    """

    def __init__(self, kind: str, most: int, refused: Refused = ignore) -> None:
        self.kind = kind
        self.most = most
        self.in_use = 0
        self._free = asyncio.Semaphore(most)
        self._refused = refused

    async def __aenter__(self) -> None:
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()
        self.in_use += 1

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self._free.acquire()
        except TimeoutError:
            self._refused(self.kind)
            message = f"The server is handling too many {self.kind}. Nothing was executed"
            raise Problem(503, message, RETRY_LATER) from None

    async def __aexit__(self, *_: object) -> None:
        self.in_use -= 1
        self._free.release()


class Bulkhead:
    """A limited number of threads. Only the event loop of the process uses it. `free` limits its requests.

    A ThreadPoolExecutor needs more time for each call than most calls.
    """

    def __init__(self, kind: str, threads: int, refused: Refused = ignore) -> None:
        self.free = Limit(kind, threads, refused)
        self._kind = kind
        self._calls = SimpleQueue[tuple[Callable[[], Any], Callable[[Result], None]]]()
        self._deliveries = Deliveries[Result]()
        self._missing_threads = threads

    async def run(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """Return the result of `work` in a free thread. Raise a Problem if no thread is free in time."""
        async with self.free:
            return await self.call(work, *args)

    async def call(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """Return the result of `work`, or raise its error. The caller has entered `free`."""
        if self._missing_threads:
            Thread(target=self._work, name=self._kind, daemon=True).start()
            self._missing_threads -= 1
        future, done = self._deliveries.expect()
        self._calls.put((partial(work, *args), done))
        result, error = await future
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def _work(self) -> None:
        while True:
            work, done = self._calls.get()
            done(result_of(work))
            del work, done  # They would keep the last call alive until the next one.


def result_of(work: Callable[[], Any]) -> Result:
    try:
        return work(), None
    except Exception as error:
        return None, error
    except BaseException as error:  # The thread must go on, and the request must get an answer.
        return None, RuntimeError(f"A thread was interrupted by {error!r}")
