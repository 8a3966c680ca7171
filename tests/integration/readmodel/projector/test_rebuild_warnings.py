"""Readers of the former generation get a warning while a rebuild runs."""

from collections.abc import Callable, Collection

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.adapters.postgres.log.history import Applied
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import History
from readmodel.projector.rebuild import rebuild
from readmodel.store.errors import ModelOutdated
from readmodel.store.store import Store
from tests.support.readmodel.rebuilds import allocate_some


class ObservedLog(EventLog):
    """Calls `observe` at each question about the history. A rebuild asks the last one right before its switch."""

    def __init__(self, engine: Engine, observe: Callable[[], None]) -> None:
        super().__init__(engine)
        self._observe = observe

    def history(self, applied: Collection[Applied] = ()) -> History:
        self._observe()
        return super().history(applied)


def make_old(model: Store, log: EventLog) -> None:
    model.beat(str(model.redis.info("replication")["master_replid"]), 0)


def make_outdated(model: Store, log: EventLog) -> None:
    """Redis has restarted since the heartbeat."""
    model.beat("0" * 40, 0)


def make_suspect(model: Store, log: EventLog) -> None:
    log.adopt([])
    model.suspect(model.generations().live or "")


@pytest.mark.parametrize("spoil", [make_old, make_outdated, make_suspect])
def test_readers_get_a_warning_until_the_switch(
    bus: MessageBus, model: Store, log: EventLog, engine: Engine, spoil: Callable[[Store, EventLog], None]
) -> None:
    """The rebuild completes the new generation. Readers still use the former one, which lacks events."""
    allocate_some(bus)
    spoil(model, log)
    former = model.generations().live
    warnings = list[str | None]()

    def observe() -> None:
        if model.generations().live == former:
            warnings.append(warning_of(model))

    rebuild(model, ObservedLog(engine, observe), PROJECTION)
    assert len(warnings) > 1
    assert None not in warnings
    assert warning_of(model) is None


def warning_of(model: Store) -> str | None:
    """Return the warning that a query gets. It may also get an error."""
    try:
        return model.read(lambda snapshot: snapshot.hashes()).warning
    except ModelOutdated as error:
        return str(error)
