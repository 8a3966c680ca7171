from redis import Redis

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.entrypoints.relay.shown_position import shown_position
from readmodel.store.names import PLAIN
from readmodel.store.store import Store


def test_the_shown_position_is_0_during_a_switch(model: Store, redis: Redis, log: EventLog) -> None:
    """The new generation may not show yet what the former one showed."""

    class Switching(Store):
        def cursor(self, generation: str, log: str) -> int | None:
            position = super().cursor(generation, log)
            self.redis.set(PLAIN.generations, "g99")
            return position

    assert shown_position(model, log) == log.end()
    assert shown_position(Switching(redis), log) == 0
