"""Readiness and `allocation check` name what is wrong with the views, and commands still succeed."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.support.api import Answer, Api
from tests.support.eventually import eventually
from tests.support.processes import run_to_end
from tests.support.redis_failures.nodes import Node
from tests.support.redis_failures.refusals import without_memory, without_saves
from tests.support.redis_failures.service import Service
from tests.support.services import web

Trouble = Callable[[Node], AbstractContextManager[None]]


@contextmanager
def evicting(node: Node) -> Iterator[None]:
    node.redis.config_set("maxmemory", 500_000_000)
    node.redis.config_set("maxmemory-policy", "allkeys-lru")
    yield
    node.redis.config_set("maxmemory-policy", "noeviction")
    node.redis.config_set("maxmemory", 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (without_memory, "Redis refuses writes: command not allowed when used memory > 'maxmemory'"),
        (without_saves, "Redis refuses writes: MISCONF"),
        (evicting, "Redis may evict keys of the views: its maxmemory-policy is allkeys-lru, and must be noeviction"),
    ],
    ids=["no memory", "no saves", "evicts keys"],
)
def test_readiness_names_a_trouble_of_redis(
    trouble: Trouble, reason: str, primary: Node, service: Service, environment: dict[str, str]
) -> None:
    api = service.api
    eventually(api.is_ready)
    assert api.add_batch("b1", "S", 10).status == 201
    with trouble(primary):
        answer = ready(api, lambda answer: answer.json["roles"]["queries"].startswith(reason))
        assert answer.status == 200, "the worker can still execute commands"
        assert answer.json["roles"]["commands"] == "ready"
        assert api.allocate("o1", "S", 1).status == 202
        assert api.get("batches", "b1").status == 200
        code, output = run_to_end("check queries", environment)
        assert (code, output.startswith(f"Queries: {reason}")) == (1, True), output
    eventually(api.is_ready)
    assert run_to_end("check queries", environment)[0] == 0


@pytest.mark.slow
def test_readiness_names_a_relay_that_hangs(
    relay: "subprocess.Popen[str]", service: Service, environment: dict[str, str]
) -> None:
    """The relay stays connected. After a while, its views count as too old."""
    with web(environment | {"ALLOCATION_VIEWS_TOO_OLD": "1"}, "queries") as port:
        queries = Api(port)
        relay.send_signal(signal.SIGSTOP)
        answer = ready(queries, lambda answer: answer.status == 503)
        assert answer.json["message"].endswith("s behind")
        assert service.api.get("health", "ready").status == 200
        assert "no sign of life" in ready(service.api, lambda answer: "relay" in answer.json).json["relay"]
        relay.send_signal(signal.SIGCONT)
        ready(queries, lambda answer: answer.json == {"status": "ready", "roles": {"queries": "ready"}})
        queries.connection.close()


def ready(api: Api, condition: Callable[[Answer], bool]) -> Answer:
    """Return the first answer of /health/ready with this condition."""

    def find() -> Answer | None:
        answer = api.get("health", "ready")
        return answer if condition(answer) else None

    found = eventually(find)
    assert found is not None
    return found
