"""docker-compose.yml and the Dockerfile: held to their rules, and the processes run as they say, without an engine."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
import yaml

from allocation.config import Settings
from allocation.entrypoints.cli.main import main
from allocation.local.ports import free_port
from readmodel.store.client import redis_client
from tests.support import servers
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.mailserver import MailServer, mail_server
from tests.support.paths import ROOT
from tests.support.processes import CONSOLE_SCRIPT, only, running

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == SERVICES["migrate"]["image"]}
LONG_RUNNING = set(SERVICES) - {"migrate"}

PASSWORD = "5ec9e7" * 8
VARIABLE = re.compile(r"\$\{(\w+):\?[^}]+\}")
PORT = Settings.model_fields["port"].default

# The rules


def test_who_runs_long_is_looked_after() -> None:
    for name in LONG_RUNNING:
        assert SERVICES[name]["restart"] == "unless-stopped", name
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD", f"{name}: without a shell"


def test_there_is_no_password_in_the_file() -> None:
    """Nor a default for one: a variable that is missing is said to be."""
    for name, value in strings(COMPOSE):
        assert "$" not in VARIABLE.sub("", value), name
        if re.search("(?i)password|secret|token|key", name):
            assert VARIABLE.fullmatch(value), name
        if "://" in value:
            assert urlsplit(VARIABLE.sub("", value)).password in {None, ""}, name
    assert ".env" in (ROOT / ".gitignore").read_text().split()


def test_nothing_gets_into_the_image_unasked() -> None:
    """Neither a .env nor a .git, whatever lies about."""
    excluded, *others = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in {"", "#"}
    ]
    assert excluded == "*"
    asked_for = {line[1:] for line in others if line.startswith("!")}
    copied = {path for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for path in line.split()}
    assert asked_for == copied


def strings(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text of the file, with the name that it bears."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from strings(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value, name)
    elif isinstance(node, str):
        yield name, node


def test_nothing_can_be_reached_from_another_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"api", "queries", "mail"}
    for ports in published.values():
        assert all(port.startswith("127.0.0.1:") for port in ports)


def test_each_process_gets_what_it_needs_and_no_more() -> None:
    stores = {name: {"DATABASE_URL", "REDIS_URL"} & set(service["environment"]) for name, service in OURS.items()}
    assert stores == {
        "migrate": {"DATABASE_URL"},
        "api": {"DATABASE_URL", "REDIS_URL"},
        "queries": {"REDIS_URL"},
        "relay": {"DATABASE_URL", "REDIS_URL"},
        "consumer": {"DATABASE_URL", "REDIS_URL"},
    }


def test_processes_wait_for_what_they_can_not_do_without() -> None:
    waits = {name: conditions(service) for name, service in OURS.items()}
    migrated, up = {"migrate": "service_completed_successfully"}, {"redis": "service_healthy"}
    assert waits == {
        "migrate": {"postgres": "service_healthy"},
        "api": migrated | {"redis": "service_started"},
        "queries": up,
        "relay": migrated | up | {"mail": "service_started"},
        "consumer": migrated | up,
    }


def conditions(service: Mapping[str, Any]) -> dict[str, str]:
    return {name: dependency["condition"] for name, dependency in service["depends_on"].items()}


def test_every_command_exists() -> None:
    used = {service["command"][0] for service in OURS.values()}
    checks = [service["healthcheck"]["test"][1:] for service in OURS.values() if "healthcheck" in service]
    used |= {words[1] for words in checks if words[0] == "allocation"}
    assert used - set(main.commands) == set()


def test_every_image_has_a_version() -> None:
    """And what is built here is never pulled, and built by one service alone."""
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    images = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    for image in [*bases, *images]:
        assert re.search(r":v?\d", image), image
    assert {name for name, service in SERVICES.items() if "build" in service} == {"migrate"}
    policies = {name: service["pull_policy"] for name, service in OURS.items()}
    assert policies == {name: "build" if name == "migrate" else "never" for name in OURS}


def test_the_image_runs_as_somebody_with_a_number_and_hears_signals() -> None:
    instructions = dict(line.split(" ", 1) for line in DOCKERFILE.splitlines() if re.match("[A-Z]+ ", line))
    uid, _, gid = instructions["USER"].partition(":")
    assert int(uid) > 0
    assert int(gid) > 0
    assert (instructions["ENTRYPOINT"], instructions["CMD"]) == ('["allocation"]', '["serve"]')
    assert "PYTHONUNBUFFERED=1" in DOCKERFILE


# The processes


@dataclass
class Container:
    """A service of ours as a process of this machine: its command, its settings, its health check."""

    name: str
    addresses: Mapping[str, str]

    def __post_init__(self) -> None:
        self.port = free_port()
        self.service = SERVICES[self.name]

    @property
    def environment(self) -> dict[str, str]:
        settings = {name: self.here(value) for name, value in self.service["environment"].items()}
        return settings | {"ALLOCATION_PORT": str(self.port)}

    def here(self, value: str) -> str:
        value = VARIABLE.sub(PASSWORD, value)
        for there, here in self.addresses.items():
            value = value.replace(there, here)
        return value

    def start(self) -> None:
        command = [*CONSOLE_SCRIPT, *self.service["command"]]
        self.process = subprocess.Popen(command, env=only(self.environment), start_new_session=True)

    def is_healthy(self) -> bool:
        assert self.process.poll() is None, f"{self.name} has ended"
        _, program, *arguments = self.service["healthcheck"]["test"]
        programs = {"allocation": CONSOLE_SCRIPT, "python": [sys.executable]}
        arguments = [argument.replace(f":{PORT}/", f":{self.port}/") for argument in arguments]
        check = [*programs[program], *arguments]
        return subprocess.run(check, env=only(self.environment), capture_output=True, timeout=30).returncode == 0

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(10)

    def sweep(self) -> None:
        """Kill what is left of it, its children too."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def addresses(tmp_path: Path, mail: MailServer) -> Iterator[dict[str, str]]:
    """Where the servers of the file are found here: as the images make them, with nothing in them."""
    with (
        servers.running(servers.postgres_in(tmp_path / "postgres")) as postgres,
        servers.running(servers.redis_in(tmp_path / "redis")) as redis,
    ):
        user = SERVICES["postgres"]["environment"]["POSTGRES_USER"]
        connection = psycopg2.connect(postgres.url)
        with connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
        connection.close()
        yield {
            "postgres:5432": urlsplit(postgres.url).netloc.rpartition("@")[2],
            "redis:6379": urlsplit(redis.url).netloc,
            "mail:1025": f"127.0.0.1:{mail.port}",
        }


def test_the_processes_of_the_file_work_together(addresses: dict[str, str], mail: MailServer) -> None:
    order = TopologicalSorter({name: set(service.get("depends_on", ())) for name, service in SERVICES.items()})
    names = [name for name in order.static_order() if name in OURS]
    containers = {name: Container(name, addresses) for name in names}
    with ExitStack() as stack:
        for container in containers.values():
            container.start()
            stack.callback(container.sweep)
            if container.name not in LONG_RUNNING:
                assert container.process.wait(60) == 0
        long_running = [container for container in containers.values() if container.name in LONG_RUNNING]
        for container in long_running:
            eventually(container.is_healthy, within=60)
        api, queries = Api(containers["api"].port), Api(containers["queries"].port)
        stack.callback(api.connection.close)
        stack.callback(queries.connection.close)
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


def test_the_ports_that_are_published_are_those_that_are_listened_on() -> None:
    listened = {name: int(OURS[name]["environment"].get("ALLOCATION_PORT", PORT)) for name in ("api", "queries")}
    published = {name: int(OURS[name]["ports"][0].split(":")[2]) for name in listened}
    checked = {name: urlsplit(url_in(OURS[name]["healthcheck"]["test"][-1])).port for name in listened}
    assert listened == published == checked


def url_in(code: str) -> str:
    [url] = re.findall(r"http://[^\"']+", code)
    return str(url)


# The health check of who serves no HTTP


def test_a_relay_that_works_is_told_from_none(environment: dict[str, str]) -> None:
    assert checked(environment) == (1, "Error: No relay listens on allocation:committed\n")
    with running("relay", environment):
        eventually(lambda: checked(environment) == (0, "1 on allocation:committed\n"))
    eventually(lambda: checked(environment)[0] == 1)


def test_without_redis_no_relay_is_said_to_work() -> None:
    code, said = checked({"REDIS_URL": "redis://:secret@127.0.0.1:1/0"})
    assert code == 1
    assert said.startswith("Error: ")
    assert "secret" not in said


def checked(environment: dict[str, str]) -> tuple[int, str]:
    check = [*CONSOLE_SCRIPT, "check", "relay"]
    done = subprocess.run(check, env=only(environment), capture_output=True, text=True, timeout=30)
    assert len((done.stdout + done.stderr).splitlines()) == 1
    return done.returncode, done.stdout + done.stderr
