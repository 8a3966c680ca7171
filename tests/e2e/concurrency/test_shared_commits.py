"""A worker is killed while the commands of many clients share its commits."""

import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from itertools import count

import psutil
import pytest
from sqlalchemy import Engine

from allocation.local.ports import free_port
from readmodel.store.store import Store
from tests.model.oracle import assert_the_state_is_sound, views_are_the_state
from tests.support.api import Api
from tests.support.e2e.database import scalar
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.processes import running

CLIENTS, COMMANDS = 24, 60
STOCK = 1_000_000


class Client:
    """Sends allocations, each again until it gets an answer.

    `answered` counts the commands, and `cut_off` counts the requests whose connection broke.
    """

    def __init__(self, number: int, port: int) -> None:
        self._number = number
        self._port = port
        self._api = Api(port)
        self.answered = 0
        self.cut_off = 0

    def run(self, killed: threading.Event) -> None:
        """Send COMMANDS allocations, or more until the worker is killed."""
        for number in count():
            if number >= COMMANDS and killed.is_set():
                break
            name = f"{self._number}-{number}"
            body = {"orderid": f"o{name}", "sku": "HOT" if number % 2 else f"S{number % 7}", "qty": 1}
            assert eventually(lambda name=name, body=body: self._send(f"k{name}", body)) == 202  # type: ignore[misc]
            self.answered += 1
        self._api.connection.close()

    def _send(self, key: str, body: dict[str, object]) -> int | None:
        """Return the status, or None if the connection broke."""
        try:
            return self._api.keyed(key, "allocate", body).status
        except (OSError, HTTPException):
            self.cut_off += 1
            self._api.connection.close()
            self._api = Api(self._port)
            return None


@pytest.mark.slow
def test_a_worker_killed_in_a_shared_commit_loses_no_command(
    environment: dict[str, str], engine: Engine, model: Store
) -> None:
    """The clients send again what got no answer. The service executes no command twice."""
    port, killed = free_port(), threading.Event()
    variables = {"ALLOCATION_PORT": str(port), "ALLOCATION_WORKERS": "1", "ALLOCATION_THREADS": str(CLIENTS)}
    with running("relay", environment), running("serve", environment | variables) as server:
        api = Api(port)
        eventually(api.is_ready)
        for sku in ("HOT", *(f"S{n}" for n in range(7))):
            assert api.add_batch(f"b-{sku}", sku, STOCK).status == 201
        api.connection.close()
        worker = max(psutil.Process(server.pid).children(), key=lambda child: child.num_threads())
        clients = [Client(number, port) for number in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            runs = [pool.submit(client.run, killed) for client in clients]
            try:
                eventually(lambda: allocated(engine) > CLIENTS * COMMANDS // 4)
                worker.kill()
            finally:
                killed.set()
            for run in runs:
                run.result(PATIENCE)
    assert sum(client.cut_off for client in clients) > 1, "no two clients were waiting when the worker was killed"
    answered = sum(client.answered for client in clients)
    assert allocated(engine) == answered
    transactions = scalar(engine, "SELECT count(DISTINCT transaction) FROM events WHERE type = 'Allocated'")
    assert transactions < answered / 2, "few commands shared a commit"
    assert_the_state_is_sound(engine)
    assert views_are_the_state(engine, model)


def allocated(engine: Engine) -> int:
    return scalar(engine, "SELECT count(*) FROM events WHERE type = 'Allocated'")
