"""The latency of `POST /allocate` for one client."""

from benchmarks.references.pgbench import Script
from benchmarks.report.table import Row, at_most
from benchmarks.rounds import alternate
from benchmarks.stack.bench import Bench
from benchmarks.stack.shop import ANY, allocations

SEVEN, FOUR = Script.SEVEN_STATEMENTS, Script.FOUR_STATEMENTS


def measure_rows(bench: Bench) -> list[Row]:
    found = alternate(
        bench.options.rounds,
        {
            "service": lambda: bench.send(allocations(ANY), clients=1).p50,
            "seven": lambda: bench.pgbench(SEVEN, ANY, clients=1).milliseconds,
            "four": lambda: bench.pgbench(FOUR, ANY, clients=1).milliseconds,
        },
    )
    measured = "`POST /allocate`, 1 client, p50"
    return [
        Row(measured, "ms", found["service"], "pgbench, seven statements, average", found["seven"], at_most(1.3)),
        Row(measured, "ms", found["service"], "pgbench, four plain statements, average", found["four"]),
    ]
