"""Random commands from many threads on few SKUs, orders and batches."""

import logging
import threading
import time
from collections import Counter
from functools import partial
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine

from readmodel.store.store import Store
from tests.model.oracle import assert_the_state_is_sound, views_are_the_state
from tests.support.adapters.waits import lock_waits
from tests.support.api import Api
from tests.support.e2e.clients import THREADS
from tests.support.e2e.database import scalar
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually

DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"

WEIGHTS = {
    "allocate": 10,
    "deallocate": 6,
    "add_batch": 2,
    "change_batch_quantity": 4,
    "change_batch_eta": 1,
    "change_line_quantity": 4,
    "ship": 1,
    "allocate_order": 4,
    "cancel_order": 3,
}

Answers = Counter[tuple[str, int]]
"""Counts answers by route and status."""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [8, 30])
def test_random_concurrent_commands_leave_a_sound_state(
    ports: list[int], engine: Engine, model: Store, seconds: int
) -> None:
    """Clients allocate and cancel orders. Meanwhile batches arrive, shrink, grow and move."""
    answers = [Answers() for _ in range(THREADS)]
    clients = [
        partial(send_random_commands, Random(seed), ports[seed % len(ports)], answers[seed]) for seed in range(THREADS)
    ]
    deadlocks = scalar(engine, DEADLOCKS)
    with lock_waits(engine) as waits, in_threads(*clients):
        time.sleep(seconds)
        eventually(lambda: successful_routes(answers) == set(WEIGHTS))
        eventually(lambda: len(waits) > 1)
    total = sum(answers, Answers())
    assert {status for _, status in total} <= {201, 202, 400, 404, 409}, total
    logging.info("%s; deadlocks retried: %s", dict(total), scalar(engine, DEADLOCKS) - deadlocks)
    assert_the_state_is_sound(engine)
    eventually(lambda: views_are_the_state(engine, model))


def send_random_commands(rng: Random, port: int, answers: Answers, done: threading.Event) -> None:
    """Send commands until the event is set, and count the answers."""
    api = Api(port)
    while not done.is_set():
        [route] = rng.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
        answers[route, api.post(route, random_body(rng, route)).status] += 1
    api.connection.close()


def successful_routes(answers: list[Answers]) -> set[str]:
    return {route for counted in answers for route, status in list(counted) if status < 400}


def random_body(rng: Random, route: str) -> dict[str, Any]:
    number = rng.randrange(200)
    ref, sku, eta = f"b{number % 40}", f"S{number % 5}", rng.choice([None, "2027-01-15", "2027-03-01"])
    bodies: dict[str, dict[str, Any]] = {
        "allocate": {"orderid": f"o{number}", "sku": sku, "qty": number % 7 + 1},
        "deallocate": {"orderid": f"o{number}", "sku": sku},
        "add_batch": {"ref": ref, "sku": sku, "qty": 20, "eta": None},
        "change_batch_quantity": {"ref": ref, "qty": rng.choice([0, 5, 20, 60])},
        "change_batch_eta": {"ref": ref, "eta": eta},
        "change_line_quantity": {"orderid": f"o{number}", "sku": sku, "qty": rng.randrange(1, 9)},
        "ship": {"orderid": f"o{number}", "sku": sku},
        "allocate_order": {
            "orderid": f"o{rng.randrange(200)}",
            "lines": [{"sku": f"S{n}", "qty": number % 7 + 1} for n in rng.sample(range(6), 3)],
            "all_or_nothing": rng.random() < 0.5,
        },
        "cancel_order": {"orderid": f"o{number}"},
    }
    return bodies[route]
