"""Readers, writers, the relay and rebuilds, all at once."""

import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.event_log import EventLog
from allocation.domain.commands import Allocate, CreateBatch
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.digest import digest
from readmodel.store.store import Store
from readmodel.views import orders
from tests.support.eventually import eventually
from tests.support.processes import allocation, running

REBUILDS = 2
TOGETHER = 20


@pytest.mark.parametrize("who_tells_the_views", ["the relay alone", "the fast path too"])
def test_what_a_reader_has_seen_stays(
    bus: MessageBus,
    projecting_bus: MessageBus,
    model: Store,
    log: EventLog,
    engine: Engine,
    environment: dict[str, str],
    who_tells_the_views: str,
) -> None:
    writing = bus if who_tells_the_views == "the relay alone" else projecting_bus
    list(writing.handle_all(CreateBatch(f"b{n}", f"S{n}", 1_000_000) for n in range(20)))
    done, failures, seen, accepted = threading.Event(), list[str](), list[str](), ["o0"]

    def write() -> None:
        for start in count(0, TOGETHER):
            lines = [Allocate(f"o{n}", f"S{n % 20}", 1) for n in range(start, start + TOGETHER)]
            list(writing.handle_all(lines))
            accepted.append(lines[-1].orderid)
            if done.is_set():
                return

    def read() -> None:
        store, awaited = Store(model.redis), accepted[-1]
        while not done.is_set():
            if is_there(store, awaited):
                seen.append(awaited)
                awaited = accepted[-1]
            for orderid in [*seen[-3:], *random.sample(seen, min(2, len(seen)))]:
                if not is_there(store, orderid):
                    failures.append(orderid)

    with running("relay", environment):
        with working(done, guarded(write, failures), guarded(read, failures)):
            eventually(lambda: len(seen) > 10)
            before = len(seen)
            for _ in range(REBUILDS):
                assert allocation("rebuild", environment, stderr=subprocess.DEVNULL).wait(60) == 0
        assert failures == []
        assert len(seen) > before + REBUILDS, "nobody read while the rebuilds ran: nothing was tried"
        live = model.generations().live or ""
        eventually(lambda: model.cursor(live, log.identity()) == log.end())
    with engine.connect() as connection:
        lines = connection.execute(text("SELECT count(*) FROM order_lines")).scalar_one()
    assert all(is_there(model, f"o{n}") for n in random.sample(range(lines), 300))
    right = digest(model.redis, live)
    assert allocation("rebuild", environment, stderr=subprocess.DEVNULL).wait(60) == 0
    assert digest(model.redis, model.generations().live or "") == right


def is_there(store: Store, orderid: str) -> bool:
    return store.read(lambda snapshot: orders.order(snapshot, orderid)) is not None


@contextmanager
def working(done: threading.Event, *works: Callable[[], None]) -> Iterator[None]:
    """At once, until the end of the block: whatever that is, no thread outlives the servers that it uses."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def guarded(work: Callable[[], None], failures: list[str]) -> Callable[[], None]:
    """A thread's error is a failure of the test, not a line on its screen."""

    def run() -> None:
        try:
            work()
        except Exception as error:
            failures.append(repr(error))
            raise

    return run
