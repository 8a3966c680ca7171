"""Health checks answer at once, even if a store hangs."""

import asyncio
import threading
from collections.abc import Callable, Coroutine

import pytest

from readmodel.web import health
from readmodel.web.health import Check, Finding
from tests.support.patience import PATIENCE


class Store:
    """A check of a store that may hang. `found` is what the next check finds."""

    def __init__(self) -> None:
        self.found = Finding(None)
        self.answers = threading.Event()
        self.answers.set()
        self.checks = 0

    def check(self) -> Finding:
        self.checks += 1
        assert self.answers.wait(PATIENCE)
        return self.found


def run(scenario: Callable[[Store, Check], Coroutine[None, None, None]]) -> None:
    store = Store()
    asyncio.run(scenario(store, Check(store.check)))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_store_that_hangs_is_reported_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "TRUSTED", PATIENCE)
    monkeypatch.setattr(health, "ANSWER_WITHIN", PATIENCE)
    monkeypatch.setattr(health, "REPEATED_EVERY", PATIENCE)

    async def scenario(store: Store, check: Check) -> None:
        assert await check.finding() == Finding(None)
        monkeypatch.setattr(health, "ANSWER_WITHIN", 0.01)
        store.answers.clear()
        assert await check.finding() == Finding(None), "the last result counts for a while"
        monkeypatch.setattr(health, "TRUSTED", 0)
        reason = (await check.finding()).reason
        assert reason is not None
        assert reason.startswith("The check has not ended for")
        assert store.checks == 2, "only one check runs at a time"
        monkeypatch.setattr(health, "TRUSTED", PATIENCE)
        store.found = Finding("broken")
        store.answers.set()
        await until(lambda: check._running is None)
        assert await check.finding() == Finding("broken")

    run(scenario)


def test_a_result_that_nobody_collected_becomes_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "TRUSTED", PATIENCE)
    monkeypatch.setattr(health, "REPEATED_FOR", 0)

    async def scenario(store: Store, check: Check) -> None:
        store.answers.clear()
        assert (await check.finding()).reason is not None
        store.answers.set()
        await until(lambda: check._running is None)
        monkeypatch.setattr(health, "TRUSTED", 0)
        store.answers.clear()
        assert (await check.finding()).reason is not None, "the former result is too old"
        store.answers.set()

    run(scenario)


def test_a_check_is_repeated_for_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "REPEATED_EVERY", 0.01)

    async def scenario(store: Store, check: Check) -> None:
        await check.finding()
        await until(lambda: store.checks > 3)

    run(scenario)
