"""The processes of docker-compose.yml run with its commands, settings and health checks, but without containers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from allocation.local.ports import free_port
from readmodel.store.client import redis_client
from readmodel.web.edge.access import COMMAND, QUERY, new_token
from tests.support import servers
from tests.support.adapters.mailserver import MailServer, mail_server
from tests.support.api import Api
from tests.support.e2e.compose import LONG_RUNNING, OURS, PORT, SERVICES, VARIABLE
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.processes import CONSOLE_SCRIPT, only

PASSWORD = "5ec9e7" * 8


@dataclass
class Container:
    """A service of our image as a process of this machine. `addresses` maps its servers to servers of this machine."""

    name: str
    addresses: Mapping[str, str]

    def __post_init__(self) -> None:
        self.port = free_port()
        self._service = SERVICES[self.name]

    def start(self) -> None:
        command = [*CONSOLE_SCRIPT, *self._service["command"]]
        self.process = subprocess.Popen(command, env=self._environment(), start_new_session=True)

    def is_healthy(self) -> bool:
        assert self.process.poll() is None, f"{self.name} has ended"
        _, program, *arguments = self._service["healthcheck"]["test"]
        programs = {"allocation": CONSOLE_SCRIPT, "python": [sys.executable]}
        check = [*programs[program], *(argument.replace(f":{PORT}/", f":{self.port}/") for argument in arguments)]
        return subprocess.run(check, env=self._environment(), capture_output=True, timeout=PATIENCE).returncode == 0

    def end(self) -> int:
        """End the process as an engine does. Return its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """Kill the process and its children, if they still run."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def _environment(self) -> dict[str, str]:
        settings = {name: self._on_this_machine(value) for name, value in self._service["environment"].items()}
        return only(settings | {"ALLOCATION_PORT": str(self.port)})

    def _on_this_machine(self, value: str) -> str:
        value = VARIABLE.sub(PASSWORD, value)
        for of_service, of_machine in self.addresses.items():
            value = value.replace(of_service, of_machine)
        return value


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def addresses(tmp_path: Path, mail: MailServer) -> Iterator[dict[str, str]]:
    """Map the servers of the file to new servers of this machine. They are empty, as those of the images are."""
    with (
        servers.running(servers.postgres_in(tmp_path / "postgres")) as postgres,
        servers.running(servers.redis_in(tmp_path / "redis")) as redis,
    ):
        user = SERVICES["postgres"]["environment"]["POSTGRES_USER"]
        connection = psycopg2.connect(postgres.url)
        with connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
        connection.close()
        secret, token = new_token("shop", [COMMAND, QUERY], None)
        (tmp_path / "access-tokens").write_text(f"# the shop\n{token}\n")
        yield {
            "<token>": secret,
            "/run/secrets/access_tokens": str(tmp_path / "access-tokens"),
            "postgres:5432": urlsplit(postgres.url).netloc.rpartition("@")[2],
            "redis:6379": urlsplit(redis.url).netloc,
            "mail:1025": f"127.0.0.1:{mail.port}",
        }


@pytest.mark.slow
def test_the_processes_of_the_compose_file_work_together(addresses: dict[str, str], mail: MailServer) -> None:
    order = TopologicalSorter({name: set(service.get("depends_on", ())) for name, service in SERVICES.items()})
    names = [name for name in order.static_order() if name in OURS]
    containers = {name: Container(name, addresses) for name in names}
    with ExitStack() as stack:
        for container in containers.values():
            container.start()
            stack.callback(container.kill)
            if container.name not in LONG_RUNNING:
                assert container.process.wait(PATIENCE) == 0
        long_running = [container for container in containers.values() if container.name in LONG_RUNNING]
        for container in long_running:
            eventually(container.is_healthy)
        api, queries = (Api(containers[name].port, addresses["<token>"]) for name in ("api", "queries"))
        stack.callback(api.connection.close)
        stack.callback(queries.connection.close)
        stranger = Api(containers["api"].port)
        stack.callback(stranger.connection.close)
        assert stranger.add_batch("b1", "S", 10).status == 401
        assert api.add_batch("b1", "S", 10).status == 201
        assert api.allocate("o1", "S", 3).status == 202
        assert queries.allocations("o1").json == [{"sku": "S", "batchref": "b1"}]
        with redis_client(f"redis://{addresses['redis:6379']}/0") as redis:
            redis.publish("change_batch_quantity", '{"ref": "b1", "qty": 4}')
        eventually(lambda: queries.get("batches", "b1").json["qty"] == 4)
        assert api.allocate("o2", "S", 5).status == 202
        eventually(lambda: mail.subjects() == ["Out of stock for S"])
        assert {container.name: container.end() for container in reversed(long_running)} == {
            container.name: 0 for container in long_running
        }
