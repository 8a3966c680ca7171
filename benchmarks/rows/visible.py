"""The time from the commit of a command until the views show it, at a fixed rate, beside a transaction of pgbench."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.apps import timed_app
from benchmarks.load_generator.traffic import WrongAnswers
from benchmarks.references.pgbench import SUFFICIENT, Script
from benchmarks.report.numbers import percentile
from benchmarks.report.table import Row, at_most
from benchmarks.rounds import alternate
from benchmarks.stack.bench import Bench
from benchmarks.stack.shop import ANY, allocations

TARGETS = {50: at_most(1), 99: at_most(10)}
RATE = 1_000
"""Commands a second, or half of the highest rate if that is less."""

Percentiles = Mapping[int, float]


def measure_rows(bench: Bench) -> list[Row]:
    rate = min(RATE, peak_rate(bench) / 2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with bench.stack.web_server(timed_app.FACTORY, **{timed_app.FOLDER: name}) as server:
            found = alternate(
                bench.options.rounds,
                {
                    "service": lambda: measure_service(bench, server.port, folder, rate),
                    "pgbench": lambda: percentiles(bench.pgbench_times_at(rate, Script.FOUR_STATEMENTS)),
                },
            )
    return [row for part in TARGETS for row in rows_of(part, rate, found["service"], found["pgbench"])]


def rows_of(part: int, rate: float, service: Sequence[Percentiles], pgbench: Sequence[Percentiles]) -> list[Row]:
    measured = f"commit to visible, p{part}, at {rate:,.0f} commands/s"
    reference = f"pgbench, four plain statements, p{part} of a transaction at the same rate"
    ours, theirs = ([of[part] for of in figures] for figures in (service, pgbench))
    return [Row(measured, "ms", ours, target=TARGETS[part]), Row(measured, "ms", ours, reference, theirs)]


def peak_rate(bench: Bench) -> float:
    """Return the rate that the row of `POST /allocate` has measured. If it has not, measure it now."""
    return median(bench.peak_rates or [bench.send(allocations(ANY)).rate for _ in range(3)])


def measure_service(bench: Bench, port: int, folder: Path, rate: float) -> Percentiles:
    """Return the milliseconds of each percentile. Raises WrongAnswers if the service did not keep up with the rate."""
    timed_app.clear_times(folder)
    sent = bench.send_at(rate, allocations(ANY), port)
    if sent.rate < SUFFICIENT * rate:
        raise WrongAnswers(f"The service executed {sent.rate:.0f} commands a second, not {rate:.0f}")
    return percentiles([1e3 * time for time in timed_app.read_times(folder)])


def percentiles(milliseconds: Sequence[float]) -> Percentiles:
    return {part: percentile(milliseconds, part) for part in TARGETS}
