"""A shrinking batch displaces a line, and the same transaction moves the line to another batch."""

import threading
from itertools import count

import pytest

from allocation.domain.commands import Allocate, ChangeBatchQuantity, CreateBatch
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.store import Store
from readmodel.views import orders
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.processes import running

SHRINKS = 150
SEEN_CHANGES = 20
"""The reader must see so many changes. Otherwise it did not read while the writer wrote."""


@pytest.mark.slow
def test_a_reader_never_sees_a_half_done_shrink(
    bus: MessageBus, projecting_bus: MessageBus, model: Store, environment: dict[str, str]
) -> None:
    """The relay updates the views: alone after every third shrink, and beside the fast path after the others."""
    for ref in ("b1", "b2"):
        projecting_bus.handle(CreateBatch(ref, "S", 10))
    projecting_bus.handle(Allocate("o1", "S", 10))
    seen: list[tuple[str, str | None]] = []
    numbers = count()

    def read(done: threading.Event) -> None:
        store = Store(model.redis)
        while not done.is_set():
            order = store.read(lambda snapshot: orders.order(snapshot, "o1")).value
            assert order is not None
            [line] = order["lines"]
            if seen[-1:] != [(line["status"], line["batchref"])]:
                seen.append((line["status"], line["batchref"]))

    def shrink() -> None:
        n = next(numbers)
        writer = bus if n % 3 == 0 else projecting_bus
        ref = ("b1", "b2")[n % 2]
        writer.handle(ChangeBatchQuantity(ref, 0))
        writer.handle(ChangeBatchQuantity(ref, 10))

    def shrink_until_seen() -> bool:
        shrink()
        return len(seen) > SEEN_CHANGES

    with running("relay", environment), in_threads(read):
        for _ in range(SHRINKS):
            shrink()
        eventually(shrink_until_seen)
    assert set(seen) == {("allocated", "b1"), ("allocated", "b2")}
