"""Relays, consumers and the views, as the status shows them."""

from allocation.config import Settings
from allocation.domain.commands import Allocate, CreateBatch
from allocation.entrypoints.status.runbooks import Runbook
from allocation.local.ports import free_port
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.client import redis_client
from readmodel.store.names import Names
from readmodel.store.records.drift import count_corrected
from readmodel.store.status.generations import LIVE
from readmodel.store.status.processes import uses
from tests.support.eventually import eventually
from tests.support.forwarder import forwarding
from tests.support.status.service import PREFIX, Service, at_port, consuming, port_of, relaying


def test_status_of_a_sound_service(service: Service, bus: MessageBus) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    bus.handle(Allocate("o1", "S", 1))
    service.wait_until_sound()
    eventually(lambda: service.look().views == (0, 0.0, False))
    [live] = service.redis().generations
    assert (live.name, live.use, live.epoch) == (f"{PREFIX}:g1.2.100", LIVE, 1)
    assert live.size is not None
    assert live.size.keys > 64
    assert live.size.bytes > live.size.keys
    assert live.age is not None
    log = service.database().log
    assert log is not None
    assert live.identities == (log.identity,)
    assert service.redis().roles["relay"].working == 1


def test_status_notices_that_no_relay_runs(settings: Settings, bus: MessageBus) -> None:
    service = Service(settings.model_copy(update={"views_stale": 0.5}))
    with relaying(settings):
        service.wait_until_sound()
    eventually(lambda: service.finding(Runbook.RELAY_ABSENT).problem == "No relay runs")
    bus.handle(CreateBatch("b1", "S", 10))
    assert service.finding(Runbook.VIEWS_LAG).problem.startswith("The views lag: 1 event, the oldest ")
    with relaying(settings):
        service.wait_until_sound()


def test_status_notices_a_relay_without_its_database(settings: Settings, database_url: str) -> None:
    """This relay retries. It works, but it listens to no commits."""
    with forwarding(port_of(database_url)) as link:
        behind_link = settings.model_copy(update={"database_url": at_port(database_url, link.port)})
        service = Service(settings)
        with relaying(behind_link):
            service.wait_until_sound()
            link.switch(free_port())
            eventually(lambda: service.finding(Runbook.RELAY_ABSENT).problem == "The relay is interrupted")


def test_status_notices_that_no_relay_ever_ran(settings: Settings) -> None:
    assert Service(settings).runbooks() == {Runbook.RELAY_ABSENT, Runbook.VIEWS_LAG}


def test_status_notices_a_consumer_that_has_ended(service: Service) -> None:
    with consuming(service.settings):
        eventually(lambda: service.redis().roles["consumer"].working == 1)
        service.wait_until_sound()
    assert service.finding(Runbook.CONSUMER_ABSENT).problem.startswith("No consumer runs")


def test_status_shows_the_drift(service: Service) -> None:
    names = Names(PREFIX)
    with redis_client(service.settings.redis_url or "") as redis:
        redis.set(names.drift, 3)
        assert service.runbooks() == set()
        count_corrected(redis, names)
    assert service.finding(Runbook.DRIFT).problem.endswith("So far: 4")


def test_status_shows_the_report_of_a_process(service: Service) -> None:
    """Other tests may have had a consumer in this process."""
    [relay] = eventually(lambda: [one for one in service.redis().processes if one.role == "relay"])
    [pool] = uses(relay.figures)
    assert 0 <= pool.in_use <= pool.limit
