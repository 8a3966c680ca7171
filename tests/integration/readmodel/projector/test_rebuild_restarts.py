"""Redis restarts while a rebuild fills a new generation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector import fill
from readmodel.projector.rebuild import RebuildFailed, rebuild
from readmodel.store import keys
from readmodel.store.store import Store
from tests.support.eventually import eventually
from tests.support.readmodel.rebuilds import allocate_some
from tests.support.redis_failures.nodes import Node, node


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path / "primary") as primary:
        yield primary


def test_a_rebuild_fails_if_redis_restarts_meanwhile(
    bus: MessageBus, log: EventLog, primary: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may have lost a part of a page, although it has the page's position."""
    monkeypatch.setattr(fill, "READ_AT_ONCE", 5)
    allocate_some(bus)
    restarts = list[int]()

    def restart(events: int, position: int, end: int) -> None:
        if restarts or position < end / 2:
            return
        [filled] = primary.redis.keys(f"g*:{keys.filled(keys.BUCKETS[-1])}")
        eventually(lambda: primary.redis.get(filled) == str(position))
        [lost, *_] = primary.redis.keys("g*:order:*")
        primary.redis.delete(lost)
        primary.save()
        primary.restart_with_the_last_save()
        restarts.append(position)

    with pytest.raises(RebuildFailed):
        rebuild(Store(primary.redis), log, PROJECTION, restart)
    assert restarts
