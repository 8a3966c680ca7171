"""Measures what the metrics of a web worker cost: `python -m benchmarks.studies.cost_of_metrics`.

It writes to files, as the workers of a web server do. It measures processor time, repeats each measurement, and prints
the smallest one.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from timeit import repeat

from readmodel.metrics import files

CALLS, ROUNDS = 5_000, 30


def main() -> None:
    with tempfile.TemporaryDirectory(dir=files.MEMORY if files.MEMORY.exists() else None) as folder:
        os.environ[files.VARIABLE] = folder
        for name, work in subjects(Path(folder)).items():
            microseconds = 1e6 * min(repeat(work, timer=process_time, number=CALLS, repeat=ROUNDS)) / CALLS
            print(f"{name:60} {microseconds:7.2f} µs")


def subjects(folder: Path) -> dict[str, Callable[[], object]]:
    """Return the calls. The library decides when it is imported that values are in files, so it is imported here."""
    from allocation.domain.commands import Allocate
    from allocation.domain.events import Allocated
    from allocation.metrics import BusMetrics, FastPathMetrics, count_trips
    from allocation.service_layer.outcomes import Done
    from readmodel.metrics import table
    from readmodel.metrics.reporter import Reporter
    from readmodel.metrics.web import WebMetrics
    from readmodel.store.client import redis_client
    from readmodel.store.names import PLAIN

    reporter = Reporter("commands", redis_client("redis://127.0.0.1:1/0"), PLAIN)
    registry = reporter.registry
    web, bus, fast_path, sent = (
        WebMetrics(reporter),
        BusMetrics(registry),
        FastPathMetrics(registry),
        count_trips(registry),
    )
    trips = registry.counter(table.DATABASE_TRIPS)
    [event] = [Allocated.__new__(Allocated)]
    events, outcomes, group = [event], (Done(),), [event] * 16

    def alone() -> None:
        web.answered("/allocate", 202, 0.004)
        bus.executed(Allocate, outcomes)
        sent()
        sent()
        bus.committed(1, 0.003, events)
        fast_path.applied(1)

    def transaction() -> None:
        sent()
        sent()
        bus.committed(16, 0.003, group)
        fast_path.applied(16)

    def command() -> None:
        web.answered("/allocate", 202, 0.004)
        bus.executed(Allocate, outcomes)

    alone()
    assert list(folder.glob("counter_*.db")), "the values are not in files"
    return {
        "one counter": lambda: trips.add(1),
        "a query": lambda: web.answered("/orders/{}", 200, 0.001),
        "a command, without its transaction": command,
        "a transaction with 16 commands": transaction,
        "a command that is alone in its transaction": alone,
    }


if __name__ == "__main__":
    main()
