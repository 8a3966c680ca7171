"""The benchmarks parse the output of wrk and pgbench, and compute the figures of the result table."""

import pytest

from benchmarks.load_generator import wrk
from benchmarks.load_generator.traffic import Figures, WrongAnswers
from benchmarks.references import pgbench
from benchmarks.references.pgbench import Measured
from benchmarks.report.numbers import percentile
from benchmarks.report.table import Missing, Row, at_least, at_most, table
from benchmarks.rounds import alternate

WRK = """Running 2s test @ http://127.0.0.1:5005
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    12.34ms    5.67ms  89.01ms   70.00%
  4010 requests in 2.00s, 0.61MB read
Requests/sec:   2005.00
figures {"answers": 4010, "microseconds": 2000000, "p50": 12340.000000, "p99": 40000.000000, "wrong": 10, "lost": 2}
"""

PGBENCH = """pgbench (18.6)
transaction type: allocate.sql
number of clients: 8
number of transactions actually processed: 2212
number of failed transactions: 0 (0.000%)
latency average = 7.272 ms
initial connection time = 31.460 ms
tps = 1100.075161 (without initial connection time)
"""


def test_wrk_rate_counts_only_right_answers() -> None:
    assert wrk.figures(WRK) == Figures(rate=2000.0, p50=12.34, p99=40.0, wrong=12, right=4000)


def test_pgbench_output_has_its_rate_and_latency() -> None:
    assert pgbench.measured(PGBENCH) == Measured(tps=1100.075161, milliseconds=7.272)


def test_failed_transactions_of_pgbench_raise_wrong_answers() -> None:
    with pytest.raises(WrongAnswers, match="3 transactions"):
        pgbench.measured(PGBENCH.replace("failed transactions: 0", "failed transactions: 3"))


def test_row_has_the_ratio_of_each_round() -> None:
    row = Row("ours", "requests/s", [900, 1_000, 4_000], "theirs", [1_000, 2_000, 4_000], at_least(0.9))
    assert row.values == [0.9, 0.5, 1.0]
    assert table([row]).splitlines()[2] == (
        "| ours | theirs | 0.5 | 0.9 | 1 | 1,000 : 2,000 requests/s | ≥ 0.9 | yes |"
    )


def test_ratio_of_speeds_is_the_inverse_ratio_of_times() -> None:
    assert Row("rebuild", "s", [4.0], "pipe", [2.0], of_speeds=True).values == [0.5]


def test_row_without_comparison_shows_unit_and_missed_target() -> None:
    row = Row("load", "s", [91.25], target=at_most(90))
    assert row.cells() == ("load", "-", "91.2 s", "91.2 s", "91.2 s", "-", "≤ 90", "**no**")


def test_every_line_of_the_table_has_the_same_cells() -> None:
    lines = table([Row("a | b", "s", [1.0]), Missing("c", "skipped: no data")]).splitlines()
    assert {line.replace("\\|", "").count("|") for line in lines} == {9}


def test_alternate_swaps_the_sides_and_omits_the_warm_up() -> None:
    calls: list[str] = []

    def measure(name: str) -> int:
        calls.append(name)
        return len(calls)

    assert alternate(2, {"b": lambda: measure("b"), "a": lambda: measure("a")}) == {"b": [4, 5], "a": [3, 6]}
    assert "".join(calls) == "baabba"


@pytest.mark.parametrize(("part", "expected"), [(50, 2.0), (99, 4.0), (25, 1.0), (26, 2.0)])
def test_percentile_is_one_of_the_values(part: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], part) == expected
