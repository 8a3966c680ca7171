"""Rebuilds that a test disturbs at a chosen stage."""

from collections.abc import Callable
from enum import Enum
from typing import Any

from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate, CreateBatch
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.digest import digest
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import rebuild
from readmodel.store.store import Store


class Stage(Enum):
    BEFORE_THE_FILL = "before the fill"
    AFTER_THE_FILL = "after the fill, before the announcement"
    AFTER_THE_ANNOUNCEMENT = "after the announcement"


class DisturbedLog(EventLog):
    """A log that calls `disturb` once during a rebuild, when the rebuild reaches the stage."""

    def __init__(self, engine: Engine, disturb: Callable[[], Any], stage: Stage) -> None:
        super().__init__(engine)
        self._disturb = disturb
        self._stage = stage
        self._stages_at_end = iter([Stage.BEFORE_THE_FILL, Stage.AFTER_THE_ANNOUNCEMENT])

    def end(self) -> int:
        self._reach(next(self._stages_at_end, None))
        return super().end()

    def progress(self, events: int, position: int, end: int) -> None:
        if position >= end:
            self._reach(Stage.AFTER_THE_FILL)

    def _reach(self, stage: Stage | None) -> None:
        if stage is self._stage:
            self._disturb()


def disturbed_rebuild(model: Store, engine: Engine, disturb: Callable[[], Any], stage: Stage) -> None:
    """Rebuild the views, and call `disturb` at the stage. Raises what `rebuild` and `disturb` raise."""
    log = DisturbedLog(engine, disturb, stage)
    rebuild(model, log, PROJECTION, log.progress)


def allocate_some(bus: MessageBus, name: str = "o", count: int = 30) -> None:
    """Create ten batches of five SKUs, and allocate lines of the orders <name>0 to <name>6."""
    batches = [CreateBatch(f"{name}-b{n}", f"S{n % 5}", 20) for n in range(10)]
    lines = [Allocate(f"{name}{n % 7}", f"S{n % 5}", n % 9 + 1) for n in range(count)]
    list(bus.handle_all([*batches, *lines]))


def follow_to_the_end(store: Store, log: EventLog) -> None:
    """Apply every final event of the log, as the relay does."""
    while follow(store, log, PROJECTION):
        pass


def fingerprint(store: Store) -> str:
    """Return the digest of the live generation."""
    live = store.generations().live
    assert live is not None
    return digest(store.redis, live)
