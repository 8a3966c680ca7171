"""Compares the views, or a part of them, with the database, and corrects them."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from allocation.adapters.postgres.checks.state import StateReader
from allocation.adapters.postgres.log.event_log import EventLog
from readmodel.projector.fold import Projection
from readmodel.projector.rebuild import rebuild
from readmodel.projector.verification.differences import Difference
from readmodel.projector.verification.strangers import DEAD, keys_of
from readmodel.projector.verification.verifier import Verifier
from readmodel.store import keys
from readmodel.store.store import Store
from readmodel.views.kinds import Name
from readmodel.views.orders import waiting_key

ROUNDS = 5
PAUSE = 1.0
KINDS = ("product", "batch", "line")


class Scope(NamedTuple):
    """The part of the views to verify: a product, an order, or some random rows. By default, it is everything."""

    sku: str | None = None
    orderid: str | None = None
    sample: int | None = None


class StillDifferent(Exception):
    """The views still differ from the database after a number of corrections."""


class Verification:
    """Verifies and repairs the live views while others read and write.

    The methods raise ModelAbsent, and the errors of the log and of Redis. They call `compared` with each number of rows
    that they have compared.
    """

    def __init__(
        self,
        store: Store,
        log: EventLog,
        projection: Projection,
        state: StateReader,
        scope: Scope,
        compared: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._store = store
        self._log = log
        self._projection = projection
        self._state = state
        self._scope = scope
        self._compared = compared
        self._verifier = Verifier(store, log, projection, state)

    def scope_exists(self) -> bool:
        """Return whether the database has the product or the order of the scope."""
        sku, orderid, _ = self._scope
        if sku is not None:
            return not self._state.unknown("product", [(sku,)])
        return orderid is None or not self._state.unknown("order", [(orderid,)])

    def differences(self) -> Iterator[Difference]:
        """Yield each difference once. If a cursor or the log's identity is wrong, yield only such differences."""
        yield from self._verifier.organisation() or self._distinct_registers()

    def repair(self) -> Iterator[Difference]:
        """Correct each difference as soon as it is found, and yield it.

        Raise StillDifferent if there are new ones after ROUNDS rounds.
        """
        self._store.install(self._projection.cached_members)  # Perhaps no process of this release has run yet.
        for _ in range(ROUNDS):
            yield from self._restore_organisation()
            is_clean = True
            for difference in self._distinct_registers():
                is_clean = False
                if difference.found != DEAD:
                    self._verifier.repair(difference)
                yield difference
            if is_clean:
                return
            with self._log.rebuild_lock() as mine:
                if mine:
                    self._verifier.drop_dead_generations()
        raise StillDifferent(f"The views still differ after {ROUNDS} corrections")

    def _restore_organisation(self) -> Iterator[Difference]:
        """Rebuild the views if a cursor or the log's identity is wrong. If another process rebuilds them, wait."""
        while damage := self._verifier.organisation():
            with self._log.rebuild_lock() as mine:
                if mine:
                    yield from damage
                    rebuild(self._store, self._log, self._projection, target=self._verifier.format())
            if not mine:
                time.sleep(PAUSE)

    def _distinct_registers(self) -> Iterator[Difference]:
        seen = set[tuple[str, str | None]]()
        for difference in self._registers():
            place = difference.key, difference.field
            if place not in seen:
                seen.add(place)
                yield difference

    def _registers(self) -> Iterator[Difference]:
        sku, orderid, sample = self._scope
        target = self._verifier.format()
        kinds = (*KINDS, "event") if target.kept else KINDS
        if orderid is not None:
            own = keys_of(("order", (orderid,)), self._projection.kinds(target))
            for kind in [kind for kind in kinds if kind in {"line", "event"}]:
                rows = self._rows(kind, self._state.pages(kind, orderid=orderid))
                yield from (difference for difference in rows if is_of_order(difference.key, orderid, own))
            yield from self._verifier.strangers_of(("order", (orderid,)))
        elif sample is not None:
            for kind in kinds:
                yield from self._rows(kind, [self._state.sample(kind, sample)])
        elif sku is not None:
            for kind in kinds:
                yield from self._rows(kind, self._state.pages(kind, sku=sku))
            yield from self._verifier.strangers_of(("product", (sku,)))
        else:
            for kind in kinds:
                yield from self._rows(kind, self._state.pages(kind))
            yield from self._verifier.strangers()
            with self._log.rebuild_lock() as mine:
                if mine:  # Otherwise a rebuild is filling a generation that no process knows yet.
                    yield from self._verifier.dead_generations()

    def _rows(self, kind: str, pages: Iterable[Sequence[Name]]) -> Iterator[Difference]:
        for page in pages:
            yield from self._verifier.rows(kind, [page])
            self._compared(len(page))


def is_of_order(key: str, orderid: str, own: Collection[str]) -> bool:
    """Return whether the key is one of the order's `own` keys, or a waiting list in its bucket."""
    return key in own or key.startswith(waiting_key(keys.bucket_for(orderid), ""))
