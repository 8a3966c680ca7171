"""The latency of `POST /allocate` for one client."""

from benchmarks.report.table import Row, at_most
from benchmarks.rounds import alternate
from benchmarks.stack.bench import Bench
from benchmarks.stack.shop import ANY, allocations


def measure_rows(bench: Bench) -> list[Row]:
    found = alternate(
        bench.options.rounds,
        {
            "service": lambda: bench.send(allocations(ANY), clients=1).p50,
            "pgbench": lambda: bench.pgbench(ANY, clients=1).milliseconds,
        },
    )
    measured, reference = "`POST /allocate`, 1 client, p50", "pgbench, 1 client, average"
    return [Row(measured, "ms", found["service"], reference, found["pgbench"], at_most(4))]
