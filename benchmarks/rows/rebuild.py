"""The rebuild of the views, compared with `COPY … | redis-cli --pipe` of the same views."""

import time
from typing import NamedTuple

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.event_handlers import PROJECTION
from benchmarks.references import redis_pipe, views_as_hsets
from benchmarks.report.progress import print_progress
from benchmarks.report.table import Row, at_least
from benchmarks.stack.loaded_bench import LoadedBench
from benchmarks.stack.throwaway import Stack
from readmodel.projector.rebuild import rebuild
from readmodel.store.client import redis_client
from readmodel.store.store import Store


class Round(NamedTuple):
    """The seconds of the rebuild and of each pipe."""

    rebuild: float
    pipes: list[float]


def measure_rows(bench: LoadedBench) -> list[Row]:
    return compare(bench.stack, bench.options.rounds)


def compare(stack: Stack, rounds: int) -> list[Row]:
    """Rebuild the views and run each pipe, in turns. The log must have events."""
    views_as_hsets.prepare(stack)
    measured = [measure_round(stack) for _ in range(rounds)]
    return [
        Row(
            "rebuild of the views",
            "s",
            [each.rebuild for each in measured],
            f"{name}, into {redis_pipe.sender()}",
            [each.pipes[number] for each in measured],
            at_least(0.7),
            of_speeds=True,
        )
        for number, name in enumerate(views_as_hsets.QUERIES)
    ]


def measure_round(stack: Stack) -> Round:
    store, log = Store(redis_client(stack.redis_url)), EventLog(stack.engine)
    started = time.perf_counter()
    rebuild(store, log, PROJECTION)
    seconds = time.perf_counter() - started
    pipes = [redis_pipe.run_pipe(stack, query) for query in views_as_hsets.QUERIES.values()]
    print_progress(f"  rebuild: {seconds:.2f} s; pipes: {', '.join(f'{pipe:.2f} s' for pipe in pipes)}")
    return Round(seconds, pipes)
