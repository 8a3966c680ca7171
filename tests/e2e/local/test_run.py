"""`allocation run` starts the whole service, with servers of its own or with servers that run already."""

import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from allocation.local.ports import free_port
from tests.support.e2e.rebuilds import rebuild_views
from tests.support.e2e.service_run import ServiceRun, alive, error_of, run_service, serves
from tests.support.eventually import eventually
from tests.support.paths import SAMPLE
from tests.support.patience import PATIENCE
from tests.support.processes import allocation

CHILDREN = {
    "relay": "The relay",
    "consumer": "The consumer",
    "granian": "The web server",
    "-server": "Redis",
    "postgres": "PostgreSQL",
}
"""A word in the command line of each child, and the child's name in the output."""


@pytest.mark.slow
def test_run_ends_every_process_and_serves_its_data_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with run_service(data) as first:
        first.api.add_batch("b1", "S", 10)
        first.api.allocate("o1", "S", 3)
        assert first.api.allocations("o1").status == 200
        assert first.end(signal.SIGTERM) == 0
        assert alive(first.descendants) == []
        assert len(first.descendants) >= 5, "PostgreSQL, Redis, relay, web server and workers"
    with run_service(data) as second:
        assert second.api.allocations("o1").json == [{"sku": "S", "batchref": "b1"}]
        assert second.api.allocate("o2", "S", 7).status == 202
        assert second.api.get("batches", "b1").json["available"] == 0


@pytest.mark.slow
def test_other_programs_find_the_running_service(tmp_path: Path) -> None:
    with run_service(tmp_path / "data") as service:
        environment = service.environment
        env = allocation("env", environment, stdout=subprocess.PIPE)
        output, _ = env.communicate(timeout=PATIENCE)
        commands = [shlex.split(line) for line in output.splitlines()]
        assert {command for command, _ in commands} == {"export"}
        addresses = dict(assignment.split("=", 1) for _, assignment in commands)
        assert set(addresses) == {"DATABASE_URL", "REDIS_URL", "API_URL"}
        assert addresses["API_URL"] == f"http://127.0.0.1:{service.port}"
        load = f"load --batches {SAMPLE / 'batches.csv'} --orders {SAMPLE / 'orders.csv'}"
        assert allocation(load, environment, stderr=subprocess.DEVNULL).wait(PATIENCE) == 0
        eventually(lambda: service.api.get("orders", "order-001").status == 200)
        rebuild_views(environment)
        assert service.api.get("orders", "order-001").status == 200
    assert "No service runs" in error_of("env", environment)
    assert "DATABASE_URL is not set" in error_of("rebuild", environment)


@pytest.mark.slow
def test_run_refuses_to_start_beside_a_running_service(tmp_path: Path) -> None:
    with run_service(tmp_path / "data") as service:
        error = error_of("run", {"ALLOCATION_DATA": str(tmp_path / "data"), "ALLOCATION_PORT": str(free_port())})
        assert f"already runs from {tmp_path / 'data'} (process {service.process.pid})" in error
        assert service.api.is_ready()


@pytest.mark.slow
def test_run_restarts_every_child_that_dies(tmp_path: Path) -> None:
    with run_service(tmp_path / "data") as service:
        service.api.add_batch("b1", "S", 100)
        for word, name in CHILDREN.items():
            assert_a_killed_child_is_restarted(service, word, name)
        assert service.end() == 0
        assert alive(service.descendants) == []


def assert_a_killed_child_is_restarted(service: ServiceRun, word: str, name: str) -> None:
    victim = service.child(word)
    assert victim is not None
    victim.kill()
    eventually(lambda: f"{name} ended with code -9. Restarting it" in service.output())
    assert eventually(lambda: service.child(word) and serves(service.api, f"order-{word}"))


@pytest.mark.slow
def test_run_starts_again_after_it_was_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with run_service(data) as first:
        first.api.add_batch("b1", "S", 10)
        first.end(signal.SIGKILL)
        with run_service(data, ALLOCATION_PORT=str(first.port)) as second:
            assert second.child("granian")
        eventually(lambda: not alive(first.descendants))


@pytest.mark.slow
def test_run_starts_no_server_if_both_urls_are_set(database_url: str, redis_url: str, tmp_path: Path) -> None:
    with run_service(tmp_path / "data", DATABASE_URL=database_url, REDIS_URL=redis_url) as service:
        commands = [" ".join(process.cmdline()) for process in service.descendants]
        assert not [command for command in commands if "postgres -D" in command or "-server" in command]
        assert service.api.add_batch("b1", "S", 10).status == 201
        assert serves(service.api, "o1")
        assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["env", "lock"]
