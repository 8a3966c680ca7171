"""A process that does not know the format of the views reports it. Only an operator replaces them."""

import logging

import pytest

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import Allocate, CreateBatch
from allocation.entrypoints.relay.delivery import UNAVAILABLE
from allocation.entrypoints.relay.relay import Relay
from allocation.entrypoints.relay.shown_position import shown_position
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from allocation.shutdown import Shutdown
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import rebuild
from readmodel.store.errors import UnknownFormat
from readmodel.store.formats import DEFAULT, FORMAT_1, NEWEST, Format, format_of
from readmodel.store.generations import Generations
from readmodel.store.names import PLAIN
from readmodel.store.store import Store
from readmodel.views import batches
from tests.support.e2e.threads import in_threads
from tests.support.edge_client import EdgeClient
from tests.support.eventually import eventually
from tests.support.processes import run_to_end
from tests.support.readmodel.damaged_data import PATHS

NEWER = f"g9.{NEWEST + 1}"
REASON = f"This release does not know the format of the views: {NEWER}"


def test_queries_report_an_unknown_format(model: Store, client: EdgeClient) -> None:
    model.redis.set(PLAIN.generations, NEWER)
    for path in (*PATHS, "/health/ready"):
        answer = client.get(path)
        assert (answer.status, answer.json["message"]) == (503, REASON)


def test_commands_succeed_and_the_relay_waits(
    projecting_bus: MessageBus, model: Store, log: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model.redis.set(PLAIN.generations, NEWER)
    projecting_bus.handle(CreateBatch("b1", "S", 5))
    assert f"Commands do not update the views now: {REASON}" in caplog.text
    shutdown = Shutdown()
    relay = Relay(log, Store(model.redis), PROJECTION, shutdown, [])

    def stop_after_its_report() -> None:
        eventually(lambda: f"The relay is interrupted, and retries every 1 s: {REASON}" in caplog.text)
        shutdown.request()

    with in_threads(lambda _: relay.run()):
        stop_after_its_report()
    assert model.redis.get(PLAIN.generations) == NEWER


def test_an_operator_replaces_an_unknown_format(
    bus: MessageBus, model: Store, log: EventLog, client: EdgeClient
) -> None:
    bus.handle(CreateBatch("b1", "S", 5))
    model.redis.set(PLAIN.generations, NEWER)
    rebuild(model, log, PROJECTION)
    assert format_of(model.generations().live or "") == DEFAULT
    assert client.get("/products/S").json["available"] == 5


def test_the_setting_decides_on_the_history(bus: MessageBus, model: Store, log: EventLog, client: EdgeClient) -> None:
    bus.handle(CreateBatch("b1", "S", 5))
    for number in range(3):
        bus.handle(Allocate("o1", f"S{number}", 1)) if number else bus.handle(Allocate("o1", "S", 1))
        bus.handle(CreateBatch(f"b{number + 2}", f"S{number + 1}", 5))
    rebuild(model, log, PROJECTION, target=Format(2, 2))
    answer = client.get("/orders/o1/history").json
    assert [event["sku"] for event in answer["events"]] == ["S1", "S2"]
    assert answer["kept"] == 2
    rebuild(model, log, PROJECTION, target=Format(2, 0))
    answer = client.get("/orders/o1/history")
    assert (answer.status, answer.json["message"]) == (404, "This service keeps no history of orders")
    assert client.get("/orders/o1").status == 200


def test_the_relay_keeps_the_format_of_an_older_release(bus: MessageBus, model: Store, log: EventLog) -> None:
    """Processes of that release may still run. They could not read a newer format."""
    rebuild(model, log, PROJECTION, target=FORMAT_1)
    model.redis.delete(f"{model.generations().live}:{{03}}:cursor")
    former, shutdown = model.generations().live, Shutdown()
    relay = Relay(log, Store(model.redis), PROJECTION, shutdown, [])
    with in_threads(lambda _: relay.run()):
        eventually(lambda: model.generations().live not in {former, None} and model.generations().other is None)
        shutdown.request()
    assert format_of(model.generations().live or "") == FORMAT_1


def test_a_relay_that_waits_announces_nothing(model: Store, log: EventLog) -> None:
    """So it does not keep the lock of the announcements, and a relay of the newer release announces."""
    model.redis.set(PLAIN.generations, NEWER)
    with pytest.raises(UnknownFormat):
        shown_position(Store(model.redis), log)
    assert UnknownFormat in UNAVAILABLE


def test_a_relay_that_waits_leaves_the_caches_alone(model: Store, log: EventLog) -> None:
    model.redis.set(PLAIN.generations, NEWER)
    before, shutdown = model.redis.get(PLAIN.cache_token), Shutdown()
    relay = Relay(log, Store(model.redis), PROJECTION, shutdown, [], shutdown.request)
    relay.run()
    assert model.redis.get(PLAIN.cache_token) == before


def test_adopting_keeps_an_unknown_format(database_url: str, redis_url: str, model: Store) -> None:
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    model.redis.set(PLAIN.generations, NEWER)
    assert run_to_end("adopt", environment) == (
        3,
        f"Error: {REASON}. Use the newer release, or run allocation rebuild\n",
    )
    assert model.redis.get(PLAIN.generations) == NEWER


def test_the_live_views_are_used_beside_a_newer_rebuild(
    projecting_bus: MessageBus, model: Store, log: EventLog
) -> None:
    """A newer release builds a generation in its format, or has died while it did."""
    live = model.generations().live
    model.redis.set(PLAIN.generations, f"{live} {NEWER}")
    projecting_bus.handle(CreateBatch("b1", "S", 5))
    assert follow(model, log, PROJECTION) > 0
    assert model.read(lambda snapshot: batches.batch(snapshot, "b1")).value
    assert not list(model.redis.scan_iter(f"{NEWER}:*"))
    rebuild(model, log, PROJECTION)
    assert model.generations() == Generations(model.generations().live)
