"""`POST /allocate`, against the same statements without the service, and one by one."""

from functools import partial

from benchmarks.bench import Bench
from benchmarks.generator import CLIENTS
from benchmarks.numbers import alternate
from benchmarks.shop import ANY, HOT, SKUS, allocations
from benchmarks.table import Row, Target, at_least

TARGETS = {ANY: (f"{SKUS:,} SKUs", at_least(0.7)), HOT: ("one hot SKU", at_least(2.0))}


def rows(bench: Bench) -> list[Row]:
    with bench.stack.serving_as_configured(ALLOCATION_COMMANDS_TOGETHER="1") as one_by_one:
        return [row for name in TARGETS for row in rows_of(bench, name, *TARGETS[name], one_by_one)]


def rows_of(bench: Bench, name: str, where: str, target: Target, one_by_one: int) -> list[Row]:
    traffic = allocations(name)
    found = alternate(
        bench.options.rounds,
        {
            "service": lambda: bench.send(traffic).rate,
            "pgbench": lambda: bench.pgbench(name).tps,
            "one by one": lambda: bench.send(traffic, one_by_one).rate,
        },
    )
    if name == ANY:
        bench.peaks += found["service"]
    row = partial(Row, f"`POST /allocate`, {where}, {CLIENTS} clients", "requests/s", found["service"])
    statements = len(bench.reference.sent)
    return [
        row(f"pgbench, the same {statements} statements, 8 clients", found["pgbench"], target),
        row("the service without group commit", found["one by one"]),
    ]
