"""`allocation adopt` beside views that are damaged."""

import pytest
from redis import Redis

from allocation.adapters.postgres.log.event_log import EventLog
from readmodel.store.names import PLAIN
from readmodel.store.store import Store
from tests.support.processes import run_to_end


@pytest.mark.parametrize("key", ["{03}:cursor", None], ids=["a-cursor", "the-generations"])
def test_adopt_begins_an_epoch_beside_damaged_views(
    key: str | None, model: Store, redis: Redis, log: EventLog, environment: dict[str, str]
) -> None:
    """An operator may restore the database because of the same fault that has damaged Redis."""
    redis.set(PLAIN.generations if key is None else f"{model.generations().live}:{key}", "nonsense")
    assert run_to_end("adopt", environment)[0] == 0
    assert log.history().epoch == 2
