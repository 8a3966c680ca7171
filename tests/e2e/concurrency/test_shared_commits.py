"""A worker is killed while the commands of many clients share its commits: none is lost, and none is done twice."""

from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import psutil
from sqlalchemy import Engine, text

from allocation.local.ports import free_port
from readmodel.store.store import Store
from tests.model.oracle import assert_the_state_is_sound, views_are_the_state
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.processes import running

CLIENTS, COMMANDS = 24, 60


class Client:
    """Sends its commands one after the other, each again until it is answered. `cut_off` counts the lost answers."""

    def __init__(self, number: int, port: int) -> None:
        self._number = number
        self._port = port
        self._api = Api(port)
        self.cut_off = 0

    def run(self) -> None:
        for count in range(COMMANDS):
            name = f"{self._number}-{count}"
            body = {"orderid": f"o{name}", "sku": "HOT" if count % 2 else f"S{count % 7}", "qty": 1}
            assert eventually(lambda name=name, body=body: self._send(f"k{name}", body)) == 202  # type: ignore[misc]
        self._api.connection.close()

    def _send(self, key: str, body: dict[str, object]) -> int | None:
        try:
            return self._api.keyed(key, "allocate", body).status
        except (OSError, HTTPException):
            self.cut_off += 1
            self._api.connection.close()
            self._api = Api(self._port)
            return None


def test_a_worker_killed_in_a_shared_commit(environment: dict[str, str], engine: Engine, model: Store) -> None:
    port = free_port()
    variables = {"ALLOCATION_PORT": str(port), "ALLOCATION_WORKERS": "1", "ALLOCATION_THREADS": str(CLIENTS)}
    with running("relay", environment), running("serve", environment | variables) as server:
        api = Api(port)
        eventually(api.is_ready)
        for sku in ("HOT", *(f"S{n}" for n in range(7))):
            assert api.add_batch(f"b-{sku}", sku, 10_000).status == 201
        api.connection.close()
        worker = max(psutil.Process(server.pid).children(), key=lambda child: child.num_threads())
        clients = [Client(number, port) for number in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            done = [pool.submit(client.run) for client in clients]
            eventually(lambda: allocated(engine) > CLIENTS * COMMANDS // 4)
            worker.kill()
            for future in done:
                future.result(60)
    assert sum(client.cut_off for client in clients) > 1, "nobody was waiting when the worker was killed"
    assert allocated(engine) == CLIENTS * COMMANDS
    with engine.connect() as connection:
        query = text("SELECT count(DISTINCT transaction) FROM events WHERE type = 'Allocated'")
        assert connection.execute(query).scalar_one() < CLIENTS * COMMANDS / 2, "few commits were shared"
    assert_the_state_is_sound(engine)
    assert views_are_the_state(engine, model)


def allocated(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM events WHERE type = 'Allocated'")).scalar_one())
