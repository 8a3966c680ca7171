"""How long one client waits for `POST /allocate` when it is alone."""

from benchmarks.bench import Bench
from benchmarks.numbers import alternate
from benchmarks.shop import ANY, allocations
from benchmarks.table import Row, at_most


def rows(bench: Bench) -> list[Row]:
    found = alternate(
        bench.options.rounds,
        {
            "service": lambda: bench.send(allocations(ANY), clients=1).p50,
            "pgbench": lambda: bench.pgbench(ANY, clients=1).milliseconds,
        },
    )
    what, against = "`POST /allocate`, 1 client, p50", "pgbench, 1 client, average"
    return [Row(what, "ms", found["service"], against, found["pgbench"], at_most(4))]
