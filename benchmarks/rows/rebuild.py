"""The rebuild, against `COPY … | redis-cli --pipe` of what it leaves: stored beforehand, and made of the log."""

from itertools import islice

from benchmarks import pipe, rebuild
from benchmarks.loaded import Loaded
from benchmarks.table import Row, at_least


def rows(bench: Loaded) -> list[Row]:
    rebuild.prepare(bench.stack)
    count = bench.options.rounds
    measured = list(islice(rebuild.rounds(bench.stack, count), count))
    ours = [one.rebuild for one in measured]
    return [
        Row(
            "rebuild of the views",
            "s",
            ours,
            f"{name}, into {pipe.sender()}",
            [one.pipes[number] for one in measured],
            at_least(0.7),
            of_speeds=True,
        )
        for number, name in enumerate(rebuild.PIPES)
    ]
