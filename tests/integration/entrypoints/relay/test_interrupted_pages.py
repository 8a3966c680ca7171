"""A page with a poison event is interrupted after some of its events were handled. The others are not lost."""

from collections.abc import Sequence

from redis import Redis
from sqlalchemy import Engine

from allocation.domain.commands import Allocate
from allocation.entrypoints.relay.handled_events import HandledEvents
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.out_of_stock import NotSent
from allocation.service_layer.unit_of_work import LoggedEvent
from tests.support.adapters.subscriptions import run_out_of_stock, subscription
from tests.support.entrypoints.poison import PARKED, DamagedEvent, Recorder, has_states
from tests.support.eventually import eventually


def test_an_interruption_skips_no_event_of_its_page(
    engine: Engine, redis: Redis, recorder: Recorder, poison: DamagedEvent
) -> None:
    """The events of T are handled and recorded before those of U meet a stuck mail server."""
    interruptions = list[str]()

    def handle(events: Sequence[LoggedEvent]) -> None:
        if {event["sku"] for event in events} == {"U"} and not interruptions:
            interruptions.append("U")
            raise NotSent("the server hangs")
        recorder(events)

    with subscription(engine, handle, handled=HandledEvents(redis, "handled")):
        eventually(has_states(engine, *PARKED))
    assert interruptions
    assert sorted(recorder.handled) == ["T2", "U2"]


def test_an_interruption_skips_no_event_that_waits(
    bus: MessageBus, engine: Engine, redis: Redis, recorder: Recorder, poison: DamagedEvent
) -> None:
    """The page has an event of a SKU that waits, one that is handled and recorded, and one whose mail is stuck."""
    interruptions = list[str]()

    def handle(events: Sequence[LoggedEvent]) -> None:
        skus = {event["sku"] for event in events}
        if skus == {"V", "W"}:
            raise ValueError("a bug")
        if skus == {"W"} and not interruptions:
            interruptions.append("W")
            raise NotSent("the server hangs")
        recorder(events)

    record = HandledEvents(redis, "handled")
    with subscription(engine, recorder, handled=record):
        eventually(has_states(engine, *PARKED))
    bus.handle(Allocate("o3", "S", 2))
    run_out_of_stock(bus, "V", "W")
    with subscription(engine, handle, handled=record):
        eventually(has_states(engine, *PARKED, ("S", 4, "waiting")))
    assert interruptions
    assert sorted(recorder.handled) == ["T2", "U2", "V2", "W2"]
