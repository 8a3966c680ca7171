"""A line that loses its batch and gets another in one transaction: readers see one or the other, nothing between."""

import threading

from allocation.domain.commands import Allocate, ChangeBatchQuantity, CreateBatch
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.store import Store
from readmodel.views import orders
from tests.support.processes import running

TIMES = 150


def test_readers_never_see_a_shrink_that_is_half_done(
    bus: MessageBus, projecting_bus: MessageBus, model: Store, environment: dict[str, str]
) -> None:
    """By the fast path, by the relay alone, and by both on top of one another."""
    # W13
    for ref in ("b1", "b2"):
        projecting_bus.handle(CreateBatch(ref, "S", 10))
    projecting_bus.handle(Allocate("o1", "S", 10))
    seen: set[tuple[str, str | None]] = set()
    done = threading.Event()

    def look() -> None:
        store = Store(model.redis)
        while not done.is_set():
            order = store.read(lambda snapshot: orders.order(snapshot, "o1"))
            assert order is not None
            seen.update((line["status"], line["batchref"]) for line in order["lines"])

    reader = threading.Thread(target=look)
    reader.start()
    try:
        with running("relay", environment):
            for n in range(TIMES):
                writing = bus if n % 3 == 0 else projecting_bus
                ref = ("b1", "b2")[n % 2]
                writing.handle(ChangeBatchQuantity(ref, 0))
                writing.handle(ChangeBatchQuantity(ref, 10))
    finally:
        done.set()
        reader.join()
    assert seen == {("allocated", "b1"), ("allocated", "b2")}
