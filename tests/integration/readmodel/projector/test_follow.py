from allocation.adapters.postgres.log.event_log import EventLog
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import FIRST_EPOCH
from readmodel.projector.digest import digest
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import rebuild
from readmodel.store import generations
from readmodel.store.formats import DEFAULT
from readmodel.store.generations import Generations
from readmodel.store.store import Store
from tests.support.readmodel.rebuilds import allocate_some, fingerprint, follow_to_the_end

NEW = f"g99{DEFAULT.suffix}"


def test_the_relay_creates_the_same_views_as_the_fast_path(
    projecting_bus: MessageBus, model: Store, log: EventLog
) -> None:
    start = log.end()
    allocate_some(projecting_bus)
    by_the_fast_path = fingerprint(model)
    assert model.cursor(model.generations().live or "", log.identity()) == start
    follow_to_the_end(model, log)
    assert fingerprint(model) == by_the_fast_path
    rebuild(model, log, PROJECTION)
    assert fingerprint(model) == by_the_fast_path


def test_the_relay_advances_the_new_generation_first(bus: MessageBus, model: Store, log: EventLog) -> None:
    """Otherwise a switch could take readers back in time."""
    live = model.generations().live
    generations.begin_filling(model.redis, model.names, NEW, log.identity(), FIRST_EPOCH)
    generations.open_for_writers(model.redis, NEW, "")
    assert generations.swap(model.redis, model.names, Generations(live), Generations(live, NEW))
    allocate_some(bus)
    while follow(model, log, PROJECTION):
        new_cursor, live_cursor = (model.cursor(name or "", log.identity()) for name in (NEW, live))
        assert (new_cursor or 0) >= (live_cursor or 0)
    assert digest(model.redis, NEW) == fingerprint(model)
