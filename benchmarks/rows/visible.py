"""How long after its commit the views show a command, at half of the rate that the service can do."""

import tempfile
from pathlib import Path
from statistics import median

from benchmarks import timed
from benchmarks.bench import Bench
from benchmarks.numbers import alternate, percentile
from benchmarks.shop import ANY, allocations
from benchmarks.table import Row, at_most
from benchmarks.traffic import WrongAnswers

TARGETS = {50: at_most(1), 99: at_most(10)}
KEPT = 0.95
"""Of the rate, at the least: else something else was measured."""


def rows(bench: Bench) -> list[Row]:
    rate = peak(bench) / 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with bench.stack.serving_as_configured("benchmarks.timed:create_app", **{timed.FOLDER: name}) as port:
            found = alternate(bench.options.rounds, {"ms": lambda: percentiles(bench, port, folder, rate)})["ms"]
    return [
        Row(f"commit to visible, p{part}, at {rate:,.0f} commands/s", "ms", [at[part] for at in found], target=target)
        for part, target in TARGETS.items()
    ]


def peak(bench: Bench) -> float:
    """As the row of `POST /allocate` has it, where that was measured."""
    return median(bench.peaks or [bench.send(allocations(ANY)).rate for _ in range(3)])


def percentiles(bench: Bench, port: int, folder: Path, rate: float) -> dict[int, float]:
    timed.forget(folder)
    sent = bench.send_at(rate, allocations(ANY), port)
    if sent.rate < KEPT * rate:
        raise WrongAnswers(f"{sent.rate:.0f} commands a second were taken, not {rate:.0f}")
    milliseconds = [1e3 * time for time in timed.times(folder)]
    return {part: percentile(milliseconds, part) for part in TARGETS}
