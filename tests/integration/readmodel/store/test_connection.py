import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from readmodel.store.connection import Command, ThreadConnection
from tests.support.eventually import eventually


def test_replies_come_in_the_order_of_the_commands(redis: Redis) -> None:
    commands: list[Command] = [("SET", "a", 1), ("GET", "a"), ("HSET", "h", "ä", b"1 {}", "f", "2"), ("HGET", "h", "ä")]
    assert ThreadConnection(redis).send(commands) == ["OK", "1", 2, "1 {}"]


def test_after_a_refused_command_nobody_reads_the_replies_of_the_others(redis: Redis) -> None:
    wire = ThreadConnection(redis)
    with pytest.raises(ResponseError):
        wire.send([("SET", "a", 1), ("HSET", "a", "f", "v"), ("GET", "a"), ("GET", "a")])
    assert wire.send([("GET", "nothing")]) == [None]


def test_a_connection_that_redis_has_closed_meanwhile_is_opened_again(redis: Redis) -> None:
    wire = ThreadConnection(redis)
    [mine] = wire.send([("CLIENT", "ID")])
    redis.client_kill_filter(_id=mine)
    assert wire.send([("PING",)]) == ["PONG"]


def test_each_thread_has_a_connection_of_its_own(redis: Redis) -> None:
    wire = ThreadConnection(redis)
    with ThreadPoolExecutor(1) as pool:
        others = [pool.submit(wire.send, [("CLIENT", "ID")]).result() for _ in range(2)]
    assert others[0] == others[1] != wire.send([("CLIENT", "ID")])


def test_a_connection_ends_with_its_thread(redis: Redis) -> None:
    wire = ThreadConnection(redis)
    gc.collect()
    gc.disable()
    try:
        with ThreadPoolExecutor(1) as pool:
            [other] = pool.submit(wire.send, [("CLIENT", "ID")]).result()
        eventually(lambda: other not in {int(client["id"]) for client in redis.client_list()})
    finally:
        gc.enable()


def test_what_is_larger_than_a_piece_arrives_whole(redis: Redis) -> None:
    value = "ä" * 1_000_000
    assert ThreadConnection(redis).send([("SET", "large", value), ("GET", "large")]) == ["OK", value]
