"""The processor time of one command, in the web workers, the relay, PostgreSQL and Redis together."""

from benchmarks.load_generator.generator import CLIENTS
from benchmarks.report.table import Row, at_most
from benchmarks.rounds import alternate
from benchmarks.stack.bench import Bench
from benchmarks.stack.processor_time import seconds_of_children
from benchmarks.stack.shop import ANY, SKUS, allocations
from benchmarks.stack.views import wait_until_idle


def measure_rows(bench: Bench) -> list[Row]:
    found = alternate(bench.options.rounds, {"ms": lambda: milliseconds_per_command(bench)})["ms"]
    measured = f"processor time of all processes per `POST /allocate`, {SKUS:,} SKUs, {CLIENTS} clients"
    return [Row(measured, "ms", found, target=at_most(0.42))]


def milliseconds_per_command(bench: Bench) -> float:
    wait_until_idle(bench.stack)
    before = seconds_of_children()
    sent = bench.send(allocations(ANY))
    wait_until_idle(bench.stack)  # The relay has applied the last command.
    return 1_000 * (seconds_of_children() - before) / (sent.rate * bench.options.seconds)
