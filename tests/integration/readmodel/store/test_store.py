"""Writes to the read model: cursors, missing buckets, and several generations."""

from collections.abc import Sequence
from typing import Any

import pytest

from readmodel.store import keys
from readmodel.store.connection import RedisCommand, ThreadConnection
from readmodel.store.errors import ModelAbsent
from readmodel.store.functions import Step
from readmodel.store.generations import Generations
from readmodel.store.store import Store
from tests.support.readmodel.generations import KEY, LOG, always, announce_generation, line, stored
from tests.support.readmodel.stores import ConnectedStore


def test_cursors_move_with_the_registers(store: Store, live: str) -> None:
    assert store.advance("g1", [line(1)], LOG, Step(0, 7, ""))
    assert store.cursor("g1", LOG) == 7
    assert store.advance("g1", [], LOG, Step(7, 9, ""))
    assert (store.cursor("g1", LOG), stored(store)) == (9, {"S": '1 {"state":"s"}'})


def test_a_cursor_never_goes_back(store: Store, live: str) -> None:
    store.advance("g1", [], LOG, Step(0, 9, ""))
    assert store.advance("g1", [line(1)], LOG, Step(0, 7, "")), "a relay that lags behind another does no harm"
    assert store.cursor("g1", LOG) == 9


def test_a_cursor_does_not_advance_over_a_gap(store: Store, live: str) -> None:
    """A failover can lose the last writes. Then the relay must apply the lost events again."""
    store.advance("g1", [], LOG, Step(0, 9, ""))
    store.redis.set(f"g1:{keys.cursor(keys.bucket_of(KEY))}", 3)
    assert not store.advance("g1", [line(1)], LOG, Step(9, 12, ""))
    assert (store.cursor("g1", LOG), stored(store)) == (3, {})


def test_writers_write_nothing_to_a_missing_bucket(store: Store, live: str) -> None:
    store.redis.flushdb()
    assert not store.advance("g1", [line(1)], LOG, Step(0, 7, ""))
    with pytest.raises(ModelAbsent):
        store.apply(always(line(1)), LOG)
    assert store.redis.keys("*") == []
    assert store.cursor("g1", LOG) is None


def test_a_generation_of_another_log_has_no_cursor(store: Store, live: str) -> None:
    assert store.cursor("g1", LOG) == 0
    assert store.cursor("g1", "another log") is None


def test_writers_write_every_announced_generation(store: Store, live: str) -> None:
    store.apply(always(line(1)), LOG)
    announce_generation(Store(store.redis), Generations("g1"), "g2", live=False)
    store.apply(always(line(2)), LOG)
    assert stored(store, "g1") == stored(store, "g2") == {"S": '2 {"state":"s"}'}


def test_a_write_includes_a_generation_announced_meanwhile(store: Store, live: str) -> None:
    """The announcement falls between the choice of generations and the check of that choice."""
    announced: list[str] = []
    other = Store(store.redis)

    class Announcing(ThreadConnection):
        def send(self, commands: Sequence[RedisCommand]) -> list[Any]:
            if not announced:
                announced.append(announce_generation(other, Generations("g1"), "g2", live=False))
            return super().send(commands)

    slow = ConnectedStore(store.redis, Announcing(store.redis))
    assert slow.generations() == Generations("g1")
    slow.apply(always(line(1)), LOG)
    assert announced
    assert stored(store, "g2") == {"S": '1 {"state":"s"}'}


def test_a_slower_thread_does_not_make_a_write_incomplete(store: Store, live: str) -> None:
    """The slower thread restores the generations that it read before the announcement, again and again."""

    class Overwritten(Store):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, Generations("g1") if name == "_seen" else value)

    announce_generation(store, Generations("g1"), "g2", live=False)
    overwritten = Overwritten(store.redis)
    assert "_seen" in vars(overwritten), "the test needs the name of this attribute"
    overwritten.apply(always(line(1)), LOG)
    assert stored(store, "g2") == {"S": '1 {"state":"s"}'}
