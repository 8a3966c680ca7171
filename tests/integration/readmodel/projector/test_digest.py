from allocation.adapters.postgres.log.event_log import EventLog
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.store import Store
from readmodel.views import orders
from tests.support.readmodel.rebuilds import allocate_some, fingerprint, follow_to_the_end


def test_different_views_have_different_digests(bus: MessageBus, model: Store, log: EventLog) -> None:
    allocate_some(bus)
    before = fingerprint(model)
    follow_to_the_end(model, log)
    assert fingerprint(model) != before
    right = fingerprint(model)
    model.redis.hset(f"{model.generations().live}:{orders.order_key('o1')}", "S1", "1 {}")
    assert fingerprint(model) != right
