"""The announcements of allocated lines on the Redis channel `line_allocated`."""

from collections import Counter
from collections.abc import Sequence

import pytest
from redis import Redis
from sqlalchemy import Engine, text

from allocation.domain.commands import Allocate, Command, CreateBatch
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from readmodel.store.names import PLAIN
from readmodel.store.store import Store
from readmodel.views import orders
from tests.support.adapters.waits import waiting
from tests.support.e2e.listener import Announcement, Listener
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.processes import running

MOVE_CURSOR = "UPDATE subscriptions"
# Otherwise the server would finish the statement that the dead relay has sent.
END_SESSION = text("""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE :like
""")


def allocations(number: int) -> Sequence[Command]:
    return [Allocate(f"o{n}", "S", 1) for n in range(number)]


def test_the_views_show_a_line_before_it_is_announced(
    bus: MessageBus, model: Store, redis: Redis, environment: dict[str, str]
) -> None:
    """Only the relay updates the views here, so only its order of work can make this true."""
    missing: list[Announcement] = []

    def look(announcement: Announcement) -> None:
        shown = model.read(lambda snapshot: orders.allocations(snapshot, announcement["orderid"])).value
        if shown != [{"sku": announcement["sku"], "batchref": announcement["batchref"]}]:
            missing.append(announcement)

    with Listener(redis, look) as listener, running("relay", environment):
        bus.handle(CreateBatch("b1", "S", 3_000))
        assert set(bus.handle_all(allocations(3_000))) == {Done()}
        eventually(lambda: len(listener.announcements) >= 3_000)
    assert missing == []
    assert [announcement["orderid"] for announcement in listener.announcements] == [f"o{n}" for n in range(3_000)]


@pytest.mark.slow
def test_a_killed_relay_leaves_no_line_unannounced(
    bus: MessageBus, model: Store, redis: Redis, engine: Engine, environment: dict[str, str]
) -> None:
    """The relay dies after it has published a page of announcements, and before it has moved its cursor."""
    bus.handle(CreateBatch("b1", "S", 5_000))
    assert set(bus.handle_all(allocations(5_000))) == {Done()}
    with Listener(redis) as listener:
        with engine.connect() as holder, running("relay", environment) as relay:
            holder.execute(text("SELECT FROM subscriptions WHERE name = 'line_allocated' FOR UPDATE"))
            eventually(lambda: waiting(engine, MOVE_CURSOR))
            relay.kill()
            relay.wait()
            holder.execute(END_SESSION, {"like": f"%{MOVE_CURSOR}%"})
            eventually(lambda: not waiting(engine, MOVE_CURSOR))
        eventually(lambda: listener.announcements)
        assert len({*listener.batches()}) < 5_000, "the relay announced every line before it was killed"
        with running("relay", environment):
            eventually(lambda: len({*listener.batches()}) == 5_000)
    times = Counter(listener.batches())
    assert set(times.values()) == {1}, "the second relay skips what the first one has recorded in Redis"


@pytest.mark.slow
def test_only_one_of_two_relays_announces(
    bus: MessageBus, model: Store, redis: Redis, environment: dict[str, str]
) -> None:
    with Listener(redis) as listener, running("relay", environment) as first, running("relay", environment):
        eventually(lambda: relays(redis) == 2)
        bus.handle(CreateBatch("b1", "S", 1_000))
        for command in allocations(300):
            bus.handle(command)
        eventually(lambda: len(listener.announcements) >= 300)
        assert relays(redis) == 2, "one relay ended before the other had announced every line"
        first.terminate()
        first.wait(PATIENCE)
        bus.handle(Allocate("last", "S", 1))
        eventually(lambda: ("last", "b1") in listener.batches())
    assert len(listener.announcements) == 301


def relays(redis: Redis) -> int:
    return int(redis.pubsub_numsub(PLAIN.committed)[0][1])


@pytest.mark.slow
def test_no_announcement_is_repeated_after_a_redis_flush(
    bus: MessageBus, model: Store, redis: Redis, environment: dict[str, str]
) -> None:
    with Listener(redis) as listener, running("relay", environment):
        bus.handle(CreateBatch("b1", "S", 10))
        bus.handle(Allocate("o1", "S", 1))
        eventually(lambda: listener.batches() == [("o1", "b1")])
        redis.flushall()
        eventually(lambda: model.generations().live)
        bus.handle(Allocate("o2", "S", 1))
        eventually(lambda: len(listener.announcements) >= 2)
    assert listener.batches() == [("o1", "b1"), ("o2", "b1")]
