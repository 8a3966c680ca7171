"""`POST /allocate`, compared with PostgreSQL alone, with a route that only validates, and without group commit."""

from benchmarks.apps import validating_route
from benchmarks.load_generator.generator import CLIENTS
from benchmarks.references.pgbench import Script
from benchmarks.report.table import Row, Target, at_least
from benchmarks.rounds import alternate
from benchmarks.stack.bench import PGBENCH_CLIENTS, Bench
from benchmarks.stack.shop import ANY, HOT, SKUS, allocations

FEW_SKUS = 200
SEVEN, FOUR = Script.SEVEN_STATEMENTS, Script.FOUR_STATEMENTS
TARGETS = {
    (ANY, SKUS, SEVEN): at_least(2.8),
    (HOT, 1, SEVEN): at_least(8),
    (ANY, FEW_SKUS, FOUR): at_least(1),
    (HOT, 1, FOUR): at_least(2.5),
}
REFERENCES = {
    SEVEN: f"pgbench, the seven statements of one allocation, {PGBENCH_CLIENTS} clients",
    FOUR: f"pgbench, four plain statements, {PGBENCH_CLIENTS} clients",
}


def measure_rows(bench: Bench) -> list[Row]:
    rows = [compare_with_pgbench(bench, *case, target) for case, target in TARGETS.items()]
    with bench.stack.web_server(validating_route.FACTORY) as bare:
        rows.append(compare(bench, ANY, "bare Flask route that validates the same body", bare.port, at_least(0.8)))
    with bench.stack.web_server(ALLOCATION_COMMANDS_TOGETHER="1", ALLOCATION_THREADS="64") as ungrouped:
        rows += [compare(bench, name, "the service without group commit", ungrouped.port) for name in (ANY, HOT)]
    return rows


def compare_with_pgbench(bench: Bench, name: str, skus: int, script: Script, target: Target) -> Row:
    found = alternate(
        bench.options.rounds,
        {
            "service": lambda: bench.send(allocations(name, skus)).rate,
            "pgbench": lambda: bench.pgbench(script, name, skus=skus).tps,
        },
    )
    if (name, script) == (ANY, SEVEN):
        bench.peak_rates += found["service"]
    return Row(measured(name, skus), "requests/s", found["service"], REFERENCES[script], found["pgbench"], target)


def compare(bench: Bench, name: str, reference: str, port: int, target: Target | None = None) -> Row:
    """Compare the service with the server on this port, which gets the same traffic."""
    traffic = allocations(name)
    found = alternate(
        bench.options.rounds,
        {"service": lambda: bench.send(traffic).rate, reference: lambda: bench.send(traffic, port).rate},
    )
    return Row(measured(name, SKUS), "requests/s", found["service"], reference, found[reference], target)


def measured(name: str, skus: int) -> str:
    return f"`POST /allocate`, {f'{skus:,} SKUs' if name == ANY else 'one hot SKU'}, {CLIENTS} clients"
