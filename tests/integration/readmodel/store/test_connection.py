import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from readmodel.store.client import redis_client
from readmodel.store.connection import RedisCommand, ThreadConnection
from readmodel.store.errors import ModelDamaged
from readmodel.store.records.progress import replication_id_in
from readmodel.store.store import Store
from tests.support.eventually import eventually


def test_replies_have_the_order_of_the_commands(redis: Redis) -> None:
    commands: list[RedisCommand] = [
        ("SET", "a", 1),
        ("GET", "a"),
        ("HSET", "h", "ä", b"1 {}", "f", "2"),
        ("HGET", "h", "ä"),
    ]
    assert ThreadConnection(redis).send(commands) == ["OK", "1", 2, "1 {}"]


def test_a_failed_command_leaves_no_reply_unread(redis: Redis) -> None:
    connection = ThreadConnection(redis)
    with pytest.raises(ModelDamaged):
        connection.send([("SET", "a", 1), ("HSET", "a", "f", "v"), ("GET", "a"), ("GET", "a")])
    assert connection.send([("GET", "nothing")]) == [None]


def test_a_reader_needs_the_replication_id(redis: Redis, redis_url: str) -> None:
    """Otherwise a reader would compare the heartbeat with the id of a former server."""
    redis.execute_command("ACL", "SETUSER", "blind", "on", "nopass", "~*", "+@all", "-info")
    store = Store(redis_client(redis_url.replace("redis://", "redis://blind:x@")))
    for _ in range(2):
        with pytest.raises(NoPermissionError):
            store.exchange([("GET", "a")])
    redis.execute_command("ACL", "SETUSER", "blind", "+info")
    trip = store.exchange([("GET", "a")])
    assert (trip.replies, replication_id_in(trip.replication)) == ([None], store.replication_id())
    redis.execute_command("ACL", "DELUSER", "blind")


def test_a_connection_reconnects_when_redis_has_closed_it(redis: Redis) -> None:
    connection = ThreadConnection(redis)
    [client_id] = connection.send([("CLIENT", "ID")])
    redis.client_kill_filter(_id=client_id)
    assert connection.send([("PING",)]) == ["PONG"]


def test_each_thread_has_a_connection_of_its_own(redis: Redis) -> None:
    connection = ThreadConnection(redis)
    with ThreadPoolExecutor(1) as pool:
        others = [pool.submit(connection.send, [("CLIENT", "ID")]).result() for _ in range(2)]
    assert others[0] == others[1] != connection.send([("CLIENT", "ID")])


def test_a_connection_closes_when_its_thread_ends(redis: Redis) -> None:
    """It must not wait for the garbage collector, which a process may have turned off."""
    connection = ThreadConnection(redis)
    gc.collect()
    gc.disable()
    try:
        with ThreadPoolExecutor(1) as pool:
            [other] = pool.submit(connection.send, [("CLIENT", "ID")]).result()
        eventually(lambda: other not in {int(client["id"]) for client in redis.client_list()})
    finally:
        gc.enable()


def test_a_command_larger_than_one_piece_arrives_whole(redis: Redis) -> None:
    value = "ä" * 1_000_000
    assert ThreadConnection(redis).send([("SET", "large", value), ("GET", "large")]) == ["OK", value]
