"""Rebuilds beside readers, writers and the relay."""

import random
import threading
from itertools import count

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate, CreateBatch
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.digest import digest
from readmodel.store.store import Store
from readmodel.views import orders
from tests.support.e2e.database import scalar
from tests.support.e2e.rebuilds import rebuild_views
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.processes import running

REBUILDS = 2
TOGETHER = 20


@pytest.mark.slow
@pytest.mark.parametrize(
    "with_fast_path",
    [pytest.param(False, id="relay alone"), pytest.param(True, id="relay and fast path")],
)
def test_a_reader_keeps_seeing_orders_during_rebuilds(
    bus: MessageBus,
    projecting_bus: MessageBus,
    model: Store,
    log: EventLog,
    engine: Engine,
    environment: dict[str, str],
    with_fast_path: bool,
) -> None:
    """An order that a reader has seen never disappears."""
    writer = projecting_bus if with_fast_path else bus
    list(writer.handle_all(CreateBatch(f"b{n}", f"S{n}", 1_000_000) for n in range(20)))
    accepted, seen, disappeared = ["o0"], list[str](), list[str]()

    def write(done: threading.Event) -> None:
        for start in count(0, TOGETHER):
            lines = [Allocate(f"o{n}", f"S{n % 20}", 1) for n in range(start, start + TOGETHER)]
            list(writer.handle_all(lines))
            accepted.append(lines[-1].orderid)
            if done.is_set():
                return

    def read(done: threading.Event) -> None:
        store, awaited = Store(model.redis), accepted[-1]
        while not done.is_set():
            if shows(store, awaited):
                seen.append(awaited)
                awaited = accepted[-1]
            for orderid in [*seen[-3:], *random.sample(seen, min(2, len(seen)))]:
                if not shows(store, orderid):
                    disappeared.append(orderid)

    with running("relay", environment):
        with in_threads(write, read):
            eventually(lambda: len(seen) > 10)
            before = len(seen)
            for rebuilds in count(1):
                rebuild_views(environment)
                # Otherwise the reader saw nothing new while the rebuilds ran, and the test would prove nothing.
                if rebuilds >= REBUILDS and len(seen) > before + REBUILDS:
                    break
        assert disappeared == []
        live = model.generations().live or ""
        eventually(lambda: model.cursor(live, log.identity()) == log.end())
    lines = scalar(engine, "SELECT count(*) FROM order_lines")
    assert all(shows(model, f"o{n}") for n in random.sample(range(lines), min(300, lines)))
    relayed = digest(model.redis, live)
    rebuild_views(environment)
    assert digest(model.redis, model.generations().live or "") == relayed


def shows(store: Store, orderid: str) -> bool:
    return store.read(lambda snapshot: orders.order(snapshot, orderid)).value is not None
