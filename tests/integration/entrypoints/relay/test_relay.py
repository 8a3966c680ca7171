"""The relay runs a thread for each subscription of the database."""

import pytest
from sqlalchemy import Engine, text

from allocation import bootstrap
from allocation.adapters.announcements import announce_lines
from allocation.config import Settings
from allocation.entrypoints.relay.subscription import Subscription
from allocation.event_handlers import SUBSCRIPTIONS, Subscriber, events_of, subscribers
from allocation.service_layer.out_of_stock import notify_stock_team
from allocation.shutdown import Shutdown


@pytest.mark.parametrize(
    ("subscriber", "types"),
    [(announce_lines, ["Allocated"]), (notify_stock_team, ["OutOfStock"])],
    ids=["announcements", "mails"],
)
def test_a_subscriber_gets_only_its_event_types(subscriber: Subscriber, types: list[str]) -> None:
    assert events_of(subscriber) == types


def test_every_subscriber_is_known_here() -> None:
    assert subscribers() == {announce_lines, notify_stock_team}, "test the event types of the new one, too"


def test_every_subscriber_has_a_subscription() -> None:
    assert set(SUBSCRIPTIONS.values()) == subscribers()


def test_the_relay_runs_every_subscription_of_the_database(
    engine: Engine, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stored subscription without a thread would handle no events. A thread without a stored cursor would fail."""
    started: list[str] = []
    monkeypatch.setattr(Subscription, "work", lambda thread: started.append(thread.name))
    shutdown = Shutdown()
    shutdown.request()  # The relay starts its threads, waits for their end, and returns.
    bootstrap.create_relay(Settings(database_url=database_url, redis_url=redis_url), shutdown).run()
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT name FROM subscriptions")).scalars().all()
    assert sorted(started) == sorted(stored) == sorted(SUBSCRIPTIONS)
