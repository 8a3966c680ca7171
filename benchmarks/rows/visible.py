"""The time from the commit of a command until the views show it, at half of the service's highest rate."""

import tempfile
from pathlib import Path
from statistics import median

from benchmarks.apps import timed_app
from benchmarks.load_generator.traffic import WrongAnswers
from benchmarks.report.numbers import percentile
from benchmarks.report.table import Row, at_most
from benchmarks.rounds import alternate
from benchmarks.stack.bench import Bench
from benchmarks.stack.shop import ANY, allocations

TARGETS = {50: at_most(1), 99: at_most(10)}
SUFFICIENT = 0.95
"""The part of the planned rate below which the measurement is void."""


def measure_rows(bench: Bench) -> list[Row]:
    rate = peak_rate(bench) / 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with bench.stack.web_server(timed_app.FACTORY, **{timed_app.FOLDER: name}) as server:
            measures = {"ms": lambda: percentiles(bench, server.port, folder, rate)}
            found = alternate(bench.options.rounds, measures)["ms"]
    return [
        Row(f"commit to visible, p{part}, at {rate:,.0f} commands/s", "ms", [at[part] for at in found], target=target)
        for part, target in TARGETS.items()
    ]


def peak_rate(bench: Bench) -> float:
    """Return the rate that the row of `POST /allocate` has measured. If it has not, measure it now."""
    return median(bench.peak_rates or [bench.send(allocations(ANY)).rate for _ in range(3)])


def percentiles(bench: Bench, port: int, folder: Path, rate: float) -> dict[int, float]:
    """Return the milliseconds of each percentile. Raises WrongAnswers if the service did not keep up with the rate."""
    timed_app.clear_times(folder)
    sent = bench.send_at(rate, allocations(ANY), port)
    if sent.rate < SUFFICIENT * rate:
        raise WrongAnswers(f"The service executed {sent.rate:.0f} commands a second, not {rate:.0f}")
    milliseconds = [1e3 * time for time in timed_app.read_times(folder)]
    return {part: percentile(milliseconds, part) for part in TARGETS}
