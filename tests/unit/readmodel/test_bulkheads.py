"""Threads work for the event loop, and each call gets its own result."""

import asyncio

import pytest

from readmodel.web.answers import Problem
from readmodel.web.edge import bulkheads
from readmodel.web.edge.bulkheads import Bulkhead

THREADS = 8


def test_each_call_gets_its_own_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulkheads, "LONGEST_WAIT", 60)

    async def call_often() -> list[int]:
        bulkhead = Bulkhead("numbers", THREADS)
        return await asyncio.gather(*(bulkhead.run(abs, -number) for number in range(5_000)))

    assert asyncio.run(call_often()) == list(range(5_000))


@pytest.mark.parametrize(("error", "seen"), [(ZeroDivisionError, ZeroDivisionError), (SystemExit, RuntimeError)])
def test_thread_goes_on_after_an_error(error: type[BaseException], seen: type[Exception]) -> None:
    def fail() -> None:
        raise error

    async def fail_and_call() -> str:
        bulkhead = Bulkhead("errors", 1)
        with pytest.raises(seen):
            await bulkhead.run(fail)
        return await bulkhead.run(str, 1)

    assert asyncio.run(fail_and_call()) == "1"


def test_call_is_refused_if_no_thread_is_free_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulkheads, "LONGEST_WAIT", 0.01)

    async def call_twice() -> None:
        bulkhead = Bulkhead("queries", 1)
        async with bulkhead.free:
            with pytest.raises(Problem, match="too many queries"):
                await bulkhead.run(str, 1)
        assert await bulkhead.run(str, 1) == "1"

    asyncio.run(call_twice())
