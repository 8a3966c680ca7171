"""A process reports its counters and its measured figures."""

from collections.abc import Iterator

from redis import Redis

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.metrics import pool_figures
from readmodel.metrics import table
from readmodel.metrics.reporter import Reporter
from readmodel.metrics.table import Figure
from readmodel.store.client import redis_client
from readmodel.store.names import PLAIN
from readmodel.store.records.process_reports import read
from tests.support.adapters.redis_users import QUERIES, url_for
from tests.support.metrics import Exposition


def threads() -> Iterator[Figure]:
    yield Figure(table.THREADS_IN_USE, 3, ("bulks",))


def test_report_has_counters_and_measured_figures(redis: Redis, database_url: str) -> None:
    engine = create_postgres_engine(database_url, connections=7)
    reporter = Reporter("commands", redis, PLAIN)
    reporter.add(threads, lambda: pool_figures("commands", engine))
    reporter.registry.counter(table.RETRIES).add(1, "deadlock")
    with engine.connect():
        reporter.report_once()
    [report] = read(redis, PLAIN)
    assert report.role == "commands"
    assert report.figures == {
        'allocation_retries_total{reason="deadlock"}': 1.0,
        'allocation_threads_in_use{kind="bulks"}': 3.0,
        'allocation_database_connections_in_use{pool="commands"}': 1.0,
        'allocation_database_connections{pool="commands"}': 7.0,
    }
    engine.dispose()


def test_figures_of_a_report_add_up(redis: Redis) -> None:
    reporter = Reporter("commands", redis, PLAIN)
    retries = reporter.registry.counter(table.RETRIES)
    retries.add(1, "deadlock")
    retries.add(2, "serialization")
    reporter.report_once()
    [report] = read(redis, PLAIN)
    assert report.total("allocation_retries_total") == 3
    assert report.total("allocation_retries") == 0


def test_process_without_siblings_shows_what_it_measures(redis: Redis) -> None:
    reporter = Reporter("relay", redis, PLAIN)
    reporter.add(threads)
    found = Exposition(reporter.expose().decode())
    assert found.value("allocation_threads_in_use", kind="bulks") == 3
    assert found.value("allocation_build_info", role="relay") == 1


def test_refused_report_is_no_failure(redis: Redis, redis_url: str) -> None:
    """The user of `allocation queries` may not write. Its process tries again after a minute."""
    with redis_client(url_for(QUERIES, redis_url)) as refused:
        reporter = Reporter("queries", refused, PLAIN)
        for _ in range(2):
            reporter.report_once()
    assert read(redis, PLAIN) == []
