"""Situations of Redis: it starts on an old snapshot, or it is full."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from redis import Redis
from redis.exceptions import ResponseError

from tests.support.documents.shell import Shell
from tests.support.eventually import eventually
from tests.support.failovers.service import service_on
from tests.support.guide.stage import Stage, Walk
from tests.support.processes import run_to_end, running
from tests.support.servers import Server, redis_in
from tests.support.servers import running as running_server

REFUSED = "Redis refuses writes: command not allowed when used memory > 'maxmemory'"


@contextmanager
def snapshot(stage: Stage) -> Iterator[Walk]:
    """Between the two blocks, Redis dies. It starts again on the snapshot, which lacks the latest commands."""
    redis = redis_in(stage.folder / "redis")
    with running_server(redis) as server, service_on(stage.database_url, redis.url) as service:
        service.api.add_batch("b1", "S", 10)
        service.api.allocate("before", "S", 1)

        def start_on_the_snapshot() -> None:
            eventually(lambda: not service.redis.info("persistence")["rdb_bgsave_in_progress"])
            saved = shutil.copy(redis.folder / "dump.rdb", stage.folder)
            service.api.allocate("after", "S", 1)
            server.kill()
            shutil.copy(saved, redis.folder / "dump.rdb")
            server.start()

        yield Walk(Shell(stage.folder, service.environment), before={1: start_on_the_snapshot})
        assert service.api.allocations("before").status == 200
        assert service.api.allocations("after").status == 200


@contextmanager
def full_redis(stage: Stage) -> Iterator[Walk]:
    """Redis has less memory than it needs. The blocks raise its limit."""
    with running("relay", stage.environment), Redis.from_url(stage.redis_url, decode_responses=True) as redis:
        eventually(lambda: run_to_end("check", stage.environment)[0] == 0)
        policy = redis.config_get("maxmemory-policy")
        redis.config_set("maxmemory", 1)
        try:
            eventually(lambda: refuses_writes(redis))
            walk = Walk(
                Shell(stage.folder, {**stage.environment, "REDIS_URL": stage.redis_url}), codes=(1,), trouble=True
            )
            yield walk
            assert REFUSED in walk.shell.outputs[0], walk.shell.outputs
            assert not refuses_writes(redis)
        finally:
            redis.config_set("maxmemory", 0)
            redis.config_set("maxmemory-policy", policy["maxmemory-policy"])


@contextmanager
def unreachable_redis(stage: Stage) -> Iterator[Walk]:
    """Redis is down. An operator starts it with the first block."""
    redis = redis_in(stage.folder / "redis")
    server = Server(redis)
    with ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        environment = stage.environment | {"REDIS_URL": redis.url}
        stack.enter_context(running("relay", environment))
        eventually(lambda: run_to_end("check", environment)[0] == 0)
        server.kill()
        yield Walk(Shell(stage.folder, environment), before={0: server.start}, trouble=True)


def refuses_writes(redis: Redis) -> bool:
    try:
        redis.set("allocation:write-probe", "", px=1_000)
    except ResponseError:
        return True
    return False
