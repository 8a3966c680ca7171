"""`POST /allocate`, compared with the same statements from pgbench, and with the service without group commit."""

from functools import partial

from benchmarks.load_generator.generator import CLIENTS
from benchmarks.report.table import Row, Target, at_least
from benchmarks.rounds import alternate
from benchmarks.stack.bench import PGBENCH_CLIENTS, Bench
from benchmarks.stack.shop import ANY, HOT, SKUS, allocations

TARGETS = {ANY: (f"{SKUS:,} SKUs", at_least(0.7)), HOT: ("one hot SKU", at_least(2.0))}


def measure_rows(bench: Bench) -> list[Row]:
    with bench.stack.web_server(ALLOCATION_COMMANDS_TOGETHER="1", ALLOCATION_THREADS="64") as ungrouped:
        return [row for name in TARGETS for row in rows_of(bench, name, *TARGETS[name], ungrouped.port)]


def rows_of(bench: Bench, name: str, skus: str, target: Target, ungrouped: int) -> list[Row]:
    traffic = allocations(name)
    found = alternate(
        bench.options.rounds,
        {
            "service": lambda: bench.send(traffic).rate,
            "pgbench": lambda: bench.pgbench(name).tps,
            "without group commit": lambda: bench.send(traffic, ungrouped).rate,
        },
    )
    if name == ANY:
        bench.peak_rates += found["service"]
    row = partial(Row, f"`POST /allocate`, {skus}, {CLIENTS} clients", "requests/s", found["service"])
    statements = len(bench.reference.sent)
    return [
        row(f"pgbench, the same {statements} statements, {PGBENCH_CLIENTS} clients", found["pgbench"], target),
        row("the service without group commit", found["without group commit"]),
    ]
