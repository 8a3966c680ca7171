"""The continuous verification ends promptly at a shutdown, also while it pauses."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine

from allocation.domain.commands import Allocate
from allocation.entrypoints.relay.verification import continuous_verification
from allocation.service_layer.messagebus import MessageBus
from allocation.shutdown import Shutdown
from readmodel.projector.verification import differences
from readmodel.store.store import Store
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.readmodel.continuous_verification import verifying


def test_the_thread_ends_while_it_pauses_between_two_pages(shop: Store, engine: Engine) -> None:
    with paused(shop, engine, rate=0.0001):
        pass


def test_the_thread_ends_while_it_waits_for_the_views(
    shop: Store, engine: Engine, bus: MessageBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "SHOWN_WITHIN", 10 * PATIENCE)
    bus.handle(Allocate("late", "S", 1))
    with paused(shop, engine, rate=10_000, seconds=differences.POLL):
        pass


def test_the_thread_ends_while_it_waits_for_the_model(
    store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuous_verification, "PAUSE", 10 * PATIENCE)
    with paused(store, engine, rate=10_000):
        pass


class Observed(Shutdown):
    """Records each requested pause."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return super().wait(seconds)


@contextmanager
def paused(store: Store, engine: Engine, rate: float, seconds: float | None = None) -> Iterator[None]:
    """Wait until the thread pauses, by default for longer than PATIENCE. At the end, the thread must end."""
    shutdown = Observed()
    with verifying(store, engine, rate, shutdown) as thread:
        eventually(lambda: [pause for pause in shutdown.pauses if pause == seconds or pause > PATIENCE])
        yield
        shutdown.request()
        thread.join(PATIENCE)
        assert not thread.is_alive()
