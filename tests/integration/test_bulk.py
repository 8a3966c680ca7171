import pytest
from redis import Redis
from redis.exceptions import ResponseError

from readmodel.bulk import packed, send


def test_replies_come_in_the_order_of_the_commands(redis: Redis) -> None:
    commands = [("SET", "a", 1), ("GET", "a"), ("HSET", "h", "ä", b"1 {}", "f", "2"), ("HGET", "h", "ä")]
    assert send(redis, packed(commands)) == ["OK", "1", 2, "1 {}"]


def test_after_a_refused_command_nobody_reads_the_replies_of_the_others(redis: Redis) -> None:
    with pytest.raises(ResponseError):
        send(redis, packed([("SET", "a", 1), ("HSET", "a", "f", "v"), ("GET", "a"), ("GET", "a")]))
    assert redis.get("nothing") is None
