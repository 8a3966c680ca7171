"""Data in Redis that the service can't have written counts as a damaged model: readers wait, and the relay rebuilds."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from redis import Redis
from sqlalchemy import Engine

from allocation.adapters.postgres.event_log import EventLog
from allocation.domain.commands import Allocate, CreateBatch
from allocation.entrypoints.relay.shown_position import shown_position
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.digest import digest
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import rebuild
from readmodel.store import keys
from readmodel.store.client import async_redis_client
from readmodel.store.errors import ModelAbsent
from readmodel.store.names import PLAIN
from readmodel.store.reads.shared_connection import SharedConnection
from readmodel.store.store import Store
from readmodel.views import orders
from readmodel.views.batches import batch_key
from readmodel.views.orders import order_key
from readmodel.views.products import product_key
from readmodel.web.query_edge import create_query_edge
from readmodel.web.view_checks import check_views
from tests.model.oracle import views_are_the_state
from tests.support.edge_client import EdgeClient
from tests.support.patience import PATIENCE

Damage = Callable[[Redis, str], object]


def replace_by_list(redis: Redis, key: str) -> None:
    redis.delete(key)
    redis.rpush(key, "x")


def rename_field(redis: Redis, key: str, former: str, new: str) -> None:
    redis.hset(key, new, str(redis.hget(key, former)))
    redis.hdel(key, former)


OF_THE_WHOLE_MODEL: dict[str, Damage] = {
    "generations that are not UTF-8": lambda redis, live: redis.set(PLAIN.generations, b"\xff\xfe"),
    "generations of another format": lambda redis, live: redis.set(PLAIN.generations, "x y z"),
    "generations of another type": lambda redis, live: replace_by_list(redis, PLAIN.generations),
    "a cursor that is no number": lambda redis, live: redis.set(f"{live}:{keys.cursor(keys.BUCKETS[3])}", "abc"),
    "a cursor of Arabic digits": lambda redis, live: redis.set(f"{live}:{keys.cursor(keys.BUCKETS[3])}", "٧"),
    "a cursor with an underscore": lambda redis, live: redis.set(f"{live}:{keys.cursor(keys.BUCKETS[3])}", "1_0"),
    "a cursor that is not UTF-8": lambda redis, live: redis.set(f"{live}:{keys.cursor(keys.BUCKETS[3])}", b"\xff"),
    "a cursor of another type": lambda redis, live: replace_by_list(redis, f"{live}:{keys.cursor(keys.BUCKETS[3])}"),
    "a history of another type": lambda redis, live: replace_by_list(redis, f"{live}:{keys.history(keys.BUCKETS[3])}"),
    "an epoch that is no number": lambda redis, live: redis.hset(
        f"{live}:{keys.history(keys.BUCKETS[3])}", "epoch", "x"
    ),
    "a mark that can't be parsed": lambda redis, live: redis.hset(
        f"{live}:{keys.history(keys.BUCKETS[3])}", "mark", "1 x"
    ),
    "a counter that is no number": lambda redis, live: (
        redis.set(PLAIN.generation_counter, "abc"),
        redis.set(PLAIN.generations, "x"),
    ),
    "a counter below zero": lambda redis, live: (
        redis.set(PLAIN.generation_counter, "-300"),
        redis.set(PLAIN.generations, "x"),
    ),
}
FOUND_BY_A_QUERY: dict[str, Damage] = {
    "a token of another type": lambda redis, live: replace_by_list(redis, PLAIN.cache_token),
    "an order of another type": lambda redis, live: redis.set(f"{live}:{order_key('o1')}", "x"),
    "a line that is no register": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", "nonsense"),
    "a line that is no JSON": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", "7 {"),
    "a line that is no object": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", "7 []"),
    "a line without members": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", "7 {}"),
    "a line that is not UTF-8": lambda redis, live: redis.hset(f"{live}:{order_key('o1')}", "S", b"\xff"),
    "a batch without members": lambda redis, live: redis.hset(f"{live}:{batch_key('b1')}", "state", "7 {}"),
    "a product without members": lambda redis, live: redis.hset(f"{live}:{product_key('S')}", "batch:b1", "7 {}"),
    "a version that is too large": lambda redis, live: redis.hset(
        f"{live}:{order_key('o1')}", "S", f'{10**30} {{"qty": 3, "status": "allocated", "batchref": "b1"}}'
    ),
    "a SKU that is not UTF-8": lambda redis, live: redis.hset(
        f"{live}:{order_key('o1')}", b"\xff", '7 {"qty": 3, "status": "allocated", "batchref": "b1"}'
    ),
    "an unknown status": lambda redis, live: redis.hset(
        f"{live}:{order_key('o1')}", "S", '7 {"qty": 3, "status": "lost", "batchref": "b1"}'
    ),
    "a reason of another shape": lambda redis, live: redis.hset(
        f"{live}:{order_key('o1')}",
        "S",
        '7 {"qty": 3, "status": "waiting", "batchref": null, "why": ' + "[" * 300 + "]" * 300 + "}",
    ),
    "a quantity that is true": lambda redis, live: redis.hset(
        f"{live}:{order_key('o1')}", "S", '7 {"qty": true, "status": "allocated", "batchref": "b1"}'
    ),
    "a quantity that is too large": lambda redis, live: redis.hset(
        f"{live}:{batch_key('b1')}", "state", f'7 {{"sku": "S", "qty": {2**64 - 1}, "allocated": -5, "eta": null}}'
    ),
    "totals of another shape": lambda redis, live: redis.hset(
        f"{live}:{product_key('S')}", "totals", '7 {"available": 3, "waiting": {"x": 1}}'
    ),
    "a product without totals": lambda redis, live: redis.hdel(f"{live}:{product_key('S')}", "totals"),
    "a batch without its register": lambda redis, live: rename_field(redis, f"{live}:{batch_key('b1')}", "state", "x"),
    "a quantity that is no number": lambda redis, live: redis.hset(
        f"{live}:{batch_key('b1')}", "state", '7 {"sku": "S", "qty": "x", "allocated": 0, "eta": null}'
    ),
}
PATHS = ("/orders/o1", "/allocations/o1", "/products/S", "/batches/b1")


@pytest.fixture
def damaged(projecting_bus: MessageBus, model: Store) -> Store:
    """A model of a batch and an order, which each test then damages."""
    projecting_bus.handle(CreateBatch("b1", "S", 10))
    projecting_bus.handle(Allocate("o1", "S", 3))
    return model


def relay_once(store: Store, log: EventLog) -> str | None:
    """Do what the relay does: follow the log, and rebuild if the model is absent. Return the reason of the rebuild."""
    try:
        while follow(store, log, PROJECTION):
            pass
    except ModelAbsent as loss:
        rebuild(store, log, PROJECTION)
        return str(loss)
    return None


@pytest.mark.parametrize("damage", OF_THE_WHOLE_MODEL.values(), ids=OF_THE_WHOLE_MODEL)
def test_a_damaged_model_fails_no_command(
    damage: Damage, damaged: Store, projecting_bus: MessageBus, log: EventLog, engine: Engine
) -> None:
    damage(damaged.redis, damaged.generations().live or "")
    projecting_bus.handle(Allocate("o2", "S", 1))  # Raises nothing: the command has succeeded.
    reason = relay_once(Store(damaged.redis), log)
    assert reason
    projecting_bus.handle(Allocate("o3", "S", 1))
    assert views_are_the_state(engine, Store(damaged.redis))


@pytest.mark.parametrize("damage", OF_THE_WHOLE_MODEL.values(), ids=OF_THE_WHOLE_MODEL)
def test_a_damaged_model_stops_no_subscription(damage: Damage, damaged: Store, log: EventLog) -> None:
    damage(damaged.redis, damaged.generations().live or "")
    assert shown_position(Store(damaged.redis), log) <= log.end()  # Raises nothing: the relay goes on.


@pytest.fixture
def client(damaged: Store, redis_url: str) -> Iterator[EdgeClient]:
    store = Store(damaged.redis)
    connection = SharedConnection(async_redis_client(redis_url, timeout=PATIENCE), store.names, PATIENCE)
    check = partial(check_views, store, suspect_is_ready=True, too_old=300, writes=True)
    client = EdgeClient(create_query_edge(store, connection, 1, check))
    yield client
    client.run(connection.close())
    client.close()


@pytest.mark.parametrize("damage", OF_THE_WHOLE_MODEL.values(), ids=OF_THE_WHOLE_MODEL)
def test_a_damaged_model_answers_no_query_with_a_500(damage: Damage, damaged: Store, client: EdgeClient) -> None:
    damage(damaged.redis, damaged.generations().live or "")
    assert {client.get(path).status for path in PATHS} <= {200, 503}
    assert client.get("/health/ready").status in (200, 503)


@pytest.mark.parametrize("damage", FOUND_BY_A_QUERY.values(), ids=FOUND_BY_A_QUERY)
def test_a_query_that_finds_damage_gets_a_503_until_the_rebuild(
    damage: Damage, damaged: Store, log: EventLog, client: EdgeClient
) -> None:
    before = {path: client.get(path).json for path in PATHS}
    damage(damaged.redis, damaged.generations().live or "")
    statuses = {client.get(path).status for path in PATHS}
    assert 503 in statuses
    assert statuses <= {200, 503}
    reason = relay_once(Store(damaged.redis), log)
    assert reason
    assert {path: client.get(path).json for path in PATHS} == before


def test_commands_after_a_flush_find_the_rebuilt_model(
    damaged: Store, projecting_bus: MessageBus, log: EventLog
) -> None:
    """The fast path must not pause: commands after the rebuild would be missing from the views."""
    damaged.redis.flushdb()
    projecting_bus.handle(Allocate("o2", "S", 1))
    rebuild(damaged, log, PROJECTION)
    projecting_bus.handle(Allocate("o3", "S", 1))
    assert damaged.read(lambda snapshot: orders.order(snapshot, "o3")).value is not None


def test_a_digest_of_a_damaged_model_is_a_digest(damaged: Store) -> None:
    live = damaged.generations().live or ""
    sound = digest(damaged.redis, live)
    damaged.redis.hset(f"{live}:{order_key('o1')}", b"\xff", b"\xff")
    assert digest(damaged.redis, live) != sound
