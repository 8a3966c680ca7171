"""A promise of several trips is true, even if the product changes between two of them."""

from collections.abc import Sequence

from readmodel.store.connection import RedisCommand
from readmodel.store.generations import Generations
from readmodel.store.reads.reading import Trip
from readmodel.store.store import Store
from readmodel.views import promises
from tests.support.readmodel.generations import LOG, announce_generation, fold_of
from tests.support.readmodel.large_products import batch, batches_created, event

BATCHES = 60


class ChangedAfterOneTrip(Store):
    """After the first trip that reads lists, the first batch gets room, and the last one loses it."""

    changed = False

    def exchange(self, commands: Sequence[RedisCommand]) -> Trip:
        trip = super().exchange(commands)
        if not self.changed and any(command[0] == "ZRANGE" for command in commands):
            self.changed = True
            first = event("BatchQuantityChanged", "L", BATCHES + 1, 67, batches=[batch("L-000001", 4)])
            last = event("BatchQuantityChanged", "L", BATCHES + 2, 63, batches=[batch(f"L-{BATCHES:06}", 1)])
            Store(self.redis).apply(fold_of([first, last]), LOG)
        return trip


def test_a_promise_is_read_again_if_the_product_changes(store: Store) -> None:
    """Some batch always has room for four units. The first answer would have been that the line waits."""
    announce_generation(store, Generations(), "g1.2")
    store.apply(fold_of(list(batches_created("L", [1] * (BATCHES - 1) + [5]))), LOG)
    changing = ChangedAfterOneTrip(store.redis)
    found = changing.read(lambda snapshot: promises.promise(snapshot, "L", 4)).value
    assert changing.changed
    assert found is not None
    assert (found["status"], found["batchref"]) == ("allocated", "L-000001")
