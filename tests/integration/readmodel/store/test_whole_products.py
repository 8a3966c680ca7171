"""One call writes the totals and the batches of a product, even if a commit changes a thousand products."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from redis import Redis

from readmodel.store import keys
from readmodel.store.connection import RedisCommand, ThreadConnection
from readmodel.store.generations import Generations
from readmodel.store.store import APPLIED_AT_ONCE, Store
from tests.support.readmodel.generations import LOG, announce_generation, fold_of

NAMES = [f"S{number:05}" for number in range(20_000)]
SPREAD = NAMES[:1_000]
IN_ONE_BUCKET = [sku for sku in NAMES if keys.bucket_for(sku) == "{07}"][:600]


def event(sku: str, batches: int) -> dict[str, Any]:
    states = [
        {"ref": f"{sku}-{number}", "qty": 9, "allocated": 0, "shipped": 0, "eta": None} for number in range(batches)
    ]
    waiting = {"lines": 0, "units": 0}
    return {"type": "BatchCreated", "sku": sku, "version": 1, "available": 9, "waiting": waiting, "batches": states}


class RecordingConnection(ThreadConnection):
    """Records the keys of each call, and the number of writes of each trip."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.calls: list[list[str]] = []
        self.trips: list[int] = []

    def send(self, commands: Sequence[RedisCommand]) -> list[Any]:
        calls = [
            [str(key) for key in command[3 : 3 + int(command[2])]] for command in commands if command[0] == "FCALL"
        ]
        self.calls += calls
        self.trips.append(sum(sum(":list:" not in key for key in call) - 2 for call in calls))
        return super().send(commands)


@pytest.mark.parametrize(
    ("skus", "batches"), [(SPREAD, 1), (IN_ONE_BUCKET, 1), (["S"], 1_100)], ids=["spread", "one-bucket", "one-product"]
)
def test_one_call_writes_a_product(store: Store, skus: list[str], batches: int) -> None:
    announce_generation(store, Generations(), "g1.2")
    store.generations()
    store._connection = connection = RecordingConnection(store.redis)
    store.apply(fold_of([event(sku, batches) for sku in skus]), LOG)
    calls_of = defaultdict[str, set[int]](set)
    for number, call in enumerate(connection.calls):
        for key in call:
            if ":product:" in key or ":stock:" in key:
                calls_of[key.rpartition(":")[2]].add(number)
    assert calls_of.keys() == set(skus)
    assert {len(calls) for calls in calls_of.values()} == {1}
    assert max(connection.trips) <= max(APPLIED_AT_ONCE, batches + 1)
