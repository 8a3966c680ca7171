"""`allocation load` of the real orders, until the views show all of them."""

from benchmarks.loaded import DATA, Loaded
from benchmarks.table import Missing, Row, at_most

WHAT = "`allocation load` of the real orders, until the views have caught up"


def rows(bench: Loaded) -> list[Row | Missing]:
    if not bench.loads:
        return [Missing(WHAT, f"skipped: there is no {DATA.name} folder beside the repository")]
    return [Row(WHAT, "s", bench.loads, target=at_most(90))]
