"""Redis servers that answer reads and refuse writes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from redis.exceptions import OutOfMemoryError, ResponseError

from tests.support.eventually import eventually
from tests.support.redis_failures.nodes import Node

Refusal = Callable[[Node], AbstractContextManager[None]]


@contextmanager
def without_memory(node: Node) -> Iterator[None]:
    """While the block runs, the server has more data than it may have."""
    node.redis.config_set("maxmemory", 1)
    try:
        assert_refused(node, OutOfMemoryError, "maxmemory")
        yield
    finally:
        node.redis.config_set("maxmemory", 0)


@contextmanager
def without_saves(node: Node) -> Iterator[None]:
    """While the block runs, the server can't save its state. A folder has the name of its file."""
    node.dump.unlink(missing_ok=True)
    (node.dump / "occupied").mkdir(parents=True)
    try:
        save(node, "err")
        assert_refused(node, ResponseError, "MISCONF")
        yield
    finally:
        (node.dump / "occupied").rmdir()
        node.dump.rmdir()
        save(node, "ok")


def save(node: Node, result: str) -> None:
    """Save the state in the background. Expect this result."""

    def has_result() -> bool:
        state = node.redis.info("persistence")
        return not state["rdb_bgsave_in_progress"] and state["rdb_last_bgsave_status"] == result

    eventually(lambda: not node.redis.info("persistence")["rdb_bgsave_in_progress"])
    node.redis.bgsave()
    eventually(has_result)


def assert_refused(node: Node, error: type[ResponseError], reason: str) -> None:
    with pytest.raises(error, match=reason):
        node.redis.set("a key", "a value")
