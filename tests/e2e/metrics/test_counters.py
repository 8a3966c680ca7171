"""The counters of a web server with several workers are what its clients have counted."""

import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import Engine, text

from allocation.bootstrap import web_threads
from allocation.config import Settings
from readmodel.metrics.files import FILE, default_folder
from tests.support.api import Api
from tests.support.e2e.counting_clients import CountingClients, prepare
from tests.support.eventually import eventually
from tests.support.metrics import Exposition, scrape
from tests.support.services import web

CLIENTS = 64
UNCOUNTED = ("/metrics", "/health/ready", "/add_batch")
"""The routes that only the test itself calls."""
KINDS = {
    ("/allocate", "202"),
    ("/allocate", "400"),
    ("/allocate_order", "202"),
    ("/allocations/{}", "404"),
    ("/commands", "200"),
    ("/products/{}/promise", "200"),
    ("other", "404"),
}


@pytest.fixture
def port(environment: dict[str, str], relay: None) -> Iterator[int]:
    with web(environment, workers=2) as port:
        eventually(lambda: both_have_answered(port))
        prepare(port)
        yield port


def both_have_answered(port: int) -> bool:
    """Send a request over a new connection. Return whether each worker has answered one."""
    api = Api(port)
    api.is_ready()
    api.connection.close()
    return [requests_of(port, worker) > 0 for worker in workers(port)] == [True, True]


def answers(found: Exposition) -> Counter[tuple[str, str]]:
    counts = found.counts("allocation_requests_total", "route", "status").items()
    return Counter({(route, status): number for (route, status), number in counts if route not in UNCOUNTED})


def folder(port: int) -> Path:
    return default_folder("127.0.0.1", port)


def workers(port: int) -> set[int]:
    """Return the processes that have counted requests."""
    return {int(found[1]) for file in folder(port).iterdir() if (found := FILE.fullmatch(file.name))}


def requests_of(port: int, worker: int) -> float:
    files = [str(folder(port) / f"counter_{worker}.db")]
    samples = [sample for metric in MultiProcessCollector.merge(files) for sample in metric.samples]
    return sum(float(sample.value) for sample in samples if sample.name == "allocation_requests_total")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.5, 20])
def test_counters_are_what_64_clients_have_counted(port: int, engine: Engine, seconds: float) -> None:
    with CountingClients(port, CLIENTS).running() as clients:
        time.sleep(seconds)  # The clients need no event to end with.
    seen, found = clients.total(), scrape(port)
    assert seen.lost == 0
    assert answers(found) == seen.answers
    assert found.counts("allocation_bulk_lines_total", "status") == seen.lines
    timed = found.counts("allocation_request_seconds_count", "route")
    assert {route: timed[route,] for route, _ in seen.answers} == by_route(seen.answers)

    both = [requests_of(port, worker) for worker in workers(port)]
    assert len(both) == 2
    assert min(both) > CLIENTS, "one of the workers had nothing to do"
    assert set(seen.answers) >= KINDS
    refused = found.value("allocation_refused_requests_total", kind="bulk requests")
    assert refused == seen.answers["/commands", "503"]
    assert_the_write_side_agrees(found, engine)
    logging.info("%s answers: %s; lines: %s; workers: %s", clients.answered, dict(seen.answers), seen.lines, both)


def by_route(counts: Counter[tuple[str, str]]) -> dict[str, int]:
    routes = Counter[str]()
    for (route, _), number in counts.items():
        routes[route] += number
    return dict(routes)


def assert_the_write_side_agrees(found: Exposition, engine: Engine) -> None:
    """Compare the commands with the requests, and the events with the log."""
    with engine.connect() as connection:
        logged = Counter(
            {(row[0],): row[1] for row in connection.execute(text("SELECT type, count(*) FROM events GROUP BY type"))}
        )
    assert found.counts("allocation_events_appended_total", "type") == logged
    applied = found.value("allocation_events_applied_total", path="fast")
    assert applied == logged.total() or found.value("allocation_fast_path_failures_total") > 0
    for command in ("allocate_order", "add_batch"):
        answered = found.value("allocation_requests_total", route=f"/{command}")
        assert found.value("allocation_commands_total", command=command) == answered
    invalid = found.value("allocation_requests_total", route="/allocate", status="400") - found.value(
        "allocation_commands_total", command="allocate", result="refused"
    )
    valid = found.value("allocation_requests_total", route="/allocate") - invalid
    bulks = found.value("allocation_requests_total", route="/commands", status="200")
    assert invalid > 0
    assert found.value("allocation_commands_total", command="allocate") == valid + bulks
    assert found.value("allocation_transaction_commands_sum") == found.value("allocation_commands_total")


@pytest.mark.slow
def test_killed_worker_leaves_its_counters(port: int) -> None:
    with CountingClients(port, CLIENTS).running() as clients:
        eventually(lambda: clients.answered > 10 * CLIENTS)
        killed = max(workers(port), key=lambda worker: requests_of(port, worker))
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: clients.total().lost)
        before = clients.answered
        eventually(lambda: clients.answered > before + 10 * CLIENTS)
        eventually(lambda: len(workers(port)) == 3)
    seen, found = clients.total(), answers(scrape(port))
    assert requests_of(port, killed) > 0
    assert not seen.answers - found, "a request has an answer, but no worker has counted it"
    assert (found - seen.answers).total() <= seen.lost
    assert seen.lost > 0


@pytest.mark.slow
def test_killed_worker_does_not_count_in_gauges(port: int) -> None:
    of_one = web_threads(Settings()).commands
    eventually(lambda: threads(port) == 2 * of_one)
    [first, _] = workers(port)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: threads(port) == of_one)
    eventually(lambda: threads(port) == 2 * of_one)
    assert not (folder(port) / f"gauge_livesum_{first}.db").exists()
    assert (folder(port) / f"counter_{first}.db").exists()


def threads(port: int) -> float:
    """Return the number of threads for commands in all workers, or 0 if the killed worker got the request."""
    try:
        return scrape(port).value("allocation_threads", kind="commands")
    except (OSError, HTTPException):
        return 0.0
