"""Small generations of the read model, made without a database."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from allocation.event_handlers import PROJECTION
from readmodel.store import generations
from readmodel.store.functions import Write
from readmodel.store.generations import Generations
from readmodel.store.registers import Register, encode
from readmodel.store.store import Fold, Store
from readmodel.views import orders
from tests.support.golden import golden

EVENTS = golden("events.json")
LOG = "the log"
KEY = orders.order_key("o1")


def open_generation(store: Store, name: str) -> None:
    """Create an empty generation that accepts registers, without announcing it."""
    generations.begin_filling(store.redis, store.names, name, LOG, 1)
    generations.open_for_writers(store.redis, name, "")


def announce_generation(store: Store, before: Generations, name: str, live: bool = True) -> str:
    """Create an empty generation and announce it as the live or the other one. Return its name."""
    open_generation(store, name)
    after = Generations(name, before.live) if live else Generations(before.live, name)
    assert generations.swap(store.redis, store.names, before, after)
    return name


def fold_of(events: Sequence[Mapping[str, Any]]) -> Fold:
    """Return the writes of these events as a store applies them."""
    return partial(PROJECTION.fold, events)


def always(*writes: Write) -> Fold:
    """Return these writes for each format."""
    return lambda _: writes


def line(version: int, state: str = "s") -> Register:
    """Return a register of the order line in KEY."""
    return Register(KEY, "S", version, encode(version, {"state": state}))


def stored(store: Store, name: str = "g1", key: str = KEY) -> dict[str, str]:
    """Return the fields of a generation's hash."""
    return dict(store.redis.hgetall(f"{name}:{key}"))  # type: ignore[arg-type]
