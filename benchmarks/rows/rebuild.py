"""The rebuild, against `COPY … | redis-cli --pipe` of the same bytes."""

from importlib import import_module
from importlib.util import find_spec

from benchmarks.loaded import Loaded
from benchmarks.table import Missing, Row, at_least

MODULE = "benchmarks.rebuild"
"""Its `rounds(stack, n)` returns n pairs: the seconds of a rebuild, and those of the reference."""


def rows(bench: Loaded) -> list[Row | Missing]:
    what = "rebuild of the views"
    if find_spec(MODULE) is None:
        return [Missing(what, f"skipped: there is no {MODULE}")]
    pairs: list[tuple[float, float]] = import_module(MODULE).rounds(bench.stack, bench.options.rounds)
    ours, theirs = map(list, zip(*pairs, strict=True))
    against = "`COPY … | redis-cli --pipe` of the same bytes"
    return [Row(what, "s", ours, against, theirs, at_least(0.7), of_speeds=True)]
