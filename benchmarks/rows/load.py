"""`allocation load` of the real orders, until the views show all of them."""

from benchmarks.report.table import Missing, Row, at_most
from benchmarks.stack.loaded_bench import DATA, LoadedBench

MEASURED = "`allocation load` of the real orders, until the views have caught up"


def measure_rows(bench: LoadedBench) -> list[Row | Missing]:
    if not bench.load_seconds:
        return [Missing(MEASURED, f"skipped: there is no folder {DATA.name} beside the repository")]
    return [Row(MEASURED, "s", bench.load_seconds, target=at_most(90))]
