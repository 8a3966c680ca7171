"""Situations of the relay and the consumer: they have ended, hang, or meet something that they can't handle."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial

from redis import Redis

from allocation import components
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.domain.commands import Allocate, Command, CreateBatch
from readmodel.store.names import PLAIN
from readmodel.views.orders import order_key
from tests.support.documents.shell import Shell
from tests.support.entrypoints.poison import insert_poison, states
from tests.support.eventually import eventually
from tests.support.guide.stage import Stage, Walk
from tests.support.processes import run_to_end, running, suspended


@contextmanager
def no_relay(stage: Stage) -> Iterator[Walk]:
    """A relay has worked, and has ended. The views lack a command."""
    environment = stage.environment | {"ALLOCATION_VIEWS_STALE": "0.5"}
    with running("relay", environment):
        wait_until_sound(environment)
    handle(stage, CreateBatch("b1", "S", 10))
    yield Walk(Shell(stage.folder, environment), trouble=True)


@contextmanager
def hanging_relay(stage: Stage) -> Iterator[Walk]:
    """The relay is suspended, and its latest sign of life is a minute old."""
    with running("relay", stage.environment) as relay, Redis.from_url(stage.redis_url) as redis:
        wait_until_sound(stage.environment)
        with suspended(relay):
            redis.zincrby(PLAIN.alive("relay"), -60_000, redis.zrange(PLAIN.alive("relay"), 0, -1)[0])
            yield Walk(Shell(stage.folder, stage.environment), trouble=True)


@contextmanager
def no_consumer(stage: Stage) -> Iterator[Walk]:
    """A consumer has worked, and has ended."""
    with running("consumer", stage.environment):
        eventually(lambda: run_to_end("check consumer", stage.environment)[0] == 0)
    yield Walk(Shell(stage.folder, stage.environment), codes=(1,), trouble=True)


@contextmanager
def drift(stage: Stage) -> Iterator[Walk]:
    """Another program has written a key of the views, and the relay has corrected it."""
    fast = {"ALLOCATION_VERIFY_RATE": "10000"}
    with running("relay", stage.environment | fast), Redis.from_url(stage.redis_url) as redis:
        wait_until_sound(stage.environment)
        live = str(redis.get(PLAIN.generations), "utf-8").split()[0]
        redis.hset(f"{live}:{order_key('never')}", "S", "1 {}")
        yield Walk(Shell(stage.folder, {**stage.environment, "REDIS_URL": stage.redis_url}), trouble=True)


@contextmanager
def stuck_mail_server(stage: Stage) -> Iterator[Walk]:
    """The mail server accepts connections, and then says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        environment = stage.environment | {"SMTP_URL": f"smtp://127.0.0.1:{server.getsockname()[1]}"}
        with running("relay", environment):
            handle(stage, CreateBatch("b1", "S", 1), Allocate("o1", "S", 2))
            yield Walk(Shell(stage.folder, environment), trouble=True)


@contextmanager
def dead_letter(stage: Stage) -> Iterator[Walk]:
    """The announcement of a line has failed five times, and another line of its SKU waits."""
    engine = create_postgres_engine(stage.database_url)
    with running("relay", stage.environment):
        wait_until_sound(stage.environment)
        insert_poison(engine, "S", 1_000)
        insert_poison(engine, "S", 1_001)
        is_dead = partial(eventually, lambda: ("S", 1_000, "dead") in states(engine, "line_allocated"))
        is_dead()
        yield Walk(Shell(stage.folder, stage.environment), before={2: is_dead}, trouble=True)
    engine.dispose()


def handle(stage: Stage, *commands: Command) -> None:
    """Execute the commands, and leave the views to the relay."""
    engine = create_postgres_engine(stage.database_url)
    bus = components.create_message_bus(engine, components.leave_to_relay)
    for command in commands:
        bus.handle(command)
    engine.dispose()


def wait_until_sound(environment: Mapping[str, str]) -> None:
    eventually(lambda: run_to_end("status", environment)[0] == 0)
