"""Bulk groups that name a common product execute one after the other, because they would only wait for its lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Turns:
    """The groups that execute or wait, in the order of their arrival. Any number of threads may share it."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._present: list[frozenset[str]] = []

    @contextmanager
    def taken(self, skus: frozenset[str]) -> Iterator[None]:
        """Wait until no earlier group names one of these SKUs. The turn lasts until the end of the context."""
        with self._changed:
            self._present.append(skus)
            self._changed.wait_for(lambda: self._is_first(skus))
        try:
            yield
        finally:
            with self._changed:
                self._present.remove(skus)
                self._changed.notify_all()

    def _is_first(self, skus: frozenset[str]) -> bool:
        for earlier in self._present:
            if earlier is skus:
                return True
            if not earlier.isdisjoint(skus):
                return False
        return True
