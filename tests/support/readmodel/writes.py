"""Threads that write the live and the other generation."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from redis import Redis

from readmodel.store.registers import Register, encode
from readmodel.views.format_1 import used_up_key
from readmodel.views.orders import order_key
from readmodel.views.products import TOTALS, product_key
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.readmodel.generations import LOG, always
from tests.support.readmodel.stores import ConnectedStore, OneByOne

THREADS = 3
SKUS = [f"hot{number}" for number in range(5)]
HOT_KEYS = [product_key(sku) for sku in SKUS]


def register(key: str, field: str, version: int = 1, former_key: str | None = None) -> Register:
    return Register(key, field, version, encode(version, {"qty": 5}), former_key)


class Writes:
    """They write hot registers and new orders, and move batches between two hashes. `done` counts the writes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._versions = count(1)
        self.done = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        with in_threads(*[self._write] * THREADS):
            eventually(lambda: self.done > 100)
            yield

    def _write(self, done: threading.Event) -> None:
        store = ConnectedStore(self._redis, OneByOne(self._redis))
        while not done.is_set():
            store.apply(always(*registers(next(self._versions))), LOG)
            self.done += 1


def registers(version: int) -> Iterator[Register]:
    yield register(order_key(f"new{version}"), "S", version)
    for sku in SKUS:
        yield register(product_key(sku), TOTALS, version)
        with_room = version % 2 == 0
        key, former_key = (product_key(sku), used_up_key(sku))[:: 1 if with_room else -1]
        yield register(key, "batch:b", version, former_key)
