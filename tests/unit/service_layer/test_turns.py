"""Bulk groups that name a common product take turns."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from allocation.service_layer.concurrency.turns import Turns
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE


class Group:
    """A group that asks for its turn in a thread of its own, and keeps it until `end`."""

    def __init__(self, turns: Turns, *skus: str) -> None:
        self.has_turn = threading.Event()
        self.end = threading.Event()
        self._turns = turns
        self._skus = frozenset(skus)
        self._thread = threading.Thread(target=self._run)
        before = len(turns._present)
        self._thread.start()
        eventually(lambda: len(turns._present) > before)

    def finish(self) -> None:
        self.end.set()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        with self._turns.taken(self._skus):
            self.has_turn.set()
            self.end.wait(PATIENCE)


@contextmanager
def groups(*names: tuple[str, ...]) -> Iterator[list[Group]]:
    turns = Turns()
    found = [Group(turns, *skus) for skus in names]
    yield found
    for group in found:
        group.finish()


def test_groups_with_a_common_product_take_turns_in_order() -> None:
    with groups(("A", "B"), ("B", "C"), ("A",), ("C",)) as (first, second, third, fourth):
        assert first.has_turn.wait(PATIENCE)
        assert not second.has_turn.is_set()
        first.finish()
        assert second.has_turn.wait(PATIENCE)
        assert third.has_turn.wait(PATIENCE)
        assert not fourth.has_turn.is_set(), "it comes after the second group"
        second.finish()
        assert fourth.has_turn.wait(PATIENCE)


def test_groups_without_a_common_product_run_together() -> None:
    with groups(("A",), ("B",), (), ()) as found:
        assert all(group.has_turn.wait(PATIENCE) for group in found)
