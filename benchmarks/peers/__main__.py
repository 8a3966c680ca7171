"""Compares the service with two peers that do the same job, and writes peers_results.md.

The exit code is 1 if a contender allocates more than there is, loses a line or stores one twice.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.__main__ import positive
from benchmarks.peers import in_process, jobs, oversell
from benchmarks.peers.code_size import lines_of_code
from benchmarks.peers.contenders import Contender, create_contenders
from benchmarks.peers.jobs import Running
from benchmarks.peers.oversell import Outcome
from benchmarks.report.machine import facts
from benchmarks.report.progress import print_progress
from benchmarks.report.table import Row, table
from benchmarks.stack.bench import Options
from benchmarks.stack.throwaway import Stack, throwaway_stack
from benchmarks.stack.views import wait_for_views, wait_until_idle

RESULTS = Path(__file__).parents[1] / "peers_results.md"
HEAD = ("", "versions", "lines of code", "threads per worker", "failed answers", "oversell check")


def measure(stack: Stack, options: Options) -> tuple[list[Row], list[Running], list[Outcome]]:
    """Measure all rows, then check that no contender oversells. Raises WrongAnswers and Oversold."""
    contenders = create_contenders(stack)
    with ExitStack() as cleanup:
        for one in contenders:
            print_progress(f"stock of {one.name}")
            cleanup.callback(one.engine.dispose)
            one.add_stock(jobs.stock(options))
        print_progress("in process")
        rows = in_process.measure_rows(stack, jobs.stock(options), options)
        cleanup.enter_context(stack.relay())
        running = [start(one, stack, cleanup) for one in contenders]
        wait_for_views(stack)
        print_progress("over HTTP")
        rows += jobs.measure_rows(running[0], running[1:], options)
        print_progress("oversell check")
        outcomes = [oversell.check(one.contender, one.port) for one in running]
        return rows, running, outcomes


def start(contender: Contender, stack: Stack, cleanup: ExitStack) -> Running:
    server = cleanup.enter_context(stack.web_server(contender.factory, **contender.variables()))
    return Running(contender, server.port, lambda: wait_until_idle(stack))


def report(
    rows: Sequence[Row], running: Sequence[Running], outcomes: Sequence[Outcome], options: Options
) -> Iterator[str]:
    yield "# The service beside two peers\n\n"
    yield f"`make bench-peers` wrote this file. It measured {options.rounds} rounds of {options.seconds} s, after a "
    yield "warm-up. The contenders alternate. Min, median and max are those of the rounds' ratios. "
    yield "[docs/comparison.md](../docs/comparison.md) explains the contenders.\n\n"
    yield f"{table(rows)}\n"
    yield f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}\n"
    for one, outcome in zip(running, outcomes, strict=True):
        yield f"| {' | '.join(cells(one, outcome))} |\n"
    yield "\n"


def cells(one: Running, outcome: Outcome) -> Iterator[str]:
    yield one.contender.name
    yield one.contender.versions()
    yield f"{lines_of_code(one.contender.code):,}"
    yield str(one.contender.threads())
    yield ", ".join(f"{job}: {failed}" for job, failed in one.failed.items())
    statuses = ", ".join(f"{number} answers {status}" for status, number in sorted(outcome.statuses.items()))
    yield f"passed: {outcome.allocated} of {outcome.requested} units allocated; {statuses}"


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=Options.rounds, help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=positive, default=Options.seconds, help="length of a round; default: %(default)s"
    )
    parser.add_argument("--print", action="store_true", help="print the tables, but do not write peers_results.md")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # By default, the servers would survive this process.
    options, load_average, started = Options(arguments.rounds, arguments.seconds), os.getloadavg()[0], time.monotonic()
    with throwaway_stack() as stack:
        written = "".join(report(*measure(stack, options), options))
        written += "".join(f"- {fact}\n" for fact in facts(stack, load_average))
    written += f"- Duration: {time.monotonic() - started:.0f} s\n"
    print(written, end="")
    if not arguments.print:
        RESULTS.write_text(written)


if __name__ == "__main__":
    main()
