"""Measures a process every two seconds, and writes its report to Redis for `allocation status`."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from itertools import chain

from redis import Redis
from redis.exceptions import RedisError

from readmodel.metrics.registry import Registry, name_of
from readmodel.metrics.table import BUILD_INFO, Figure
from readmodel.store.names import Names
from readmodel.store.records.process_reports import WRITTEN_EVERY, ProcessReport, write

RETRIED_AFTER = 60.0
"""Seconds. The user of `allocation queries` may only read Redis. Then the process has no report."""

Measure = Callable[[], Iterable[Figure]]
Wait = Callable[[float], bool | None]
"""Waits for these seconds. Returns True if the process must stop."""


class Reporter:
    """Reports on a process with this role. `redis` is a client with a short time-out: it must not delay a report."""

    def __init__(self, role: str, redis: Redis, names: Names) -> None:
        self.registry = Registry()
        self._role = role
        self._measures = list[Measure]()
        self._redis = redis
        self._names = names
        self._version = version("allocation")
        self._started = time.time()
        self._silent_until = 0.0

    def add(self, *measures: Measure) -> None:
        """Measure these, too. Each of them yields figures, must return at once and must not raise."""
        self._measures += measures

    def start(self, wait: Wait = time.sleep) -> None:
        """Report from now on, in a thread that ends when `wait` returns True, or with the process."""
        threading.Thread(target=self._run, args=(wait,), name="reporter", daemon=True).start()

    def expose(self, current: Iterable[Figure] = ()) -> bytes:
        """Return the metrics of the process and of its siblings as text, with the `current` figures."""
        build = Figure(BUILD_INFO, 1.0, (self._role, self._version))
        return self.registry.exposition([*self._own_figures(), *current, build])

    def report_once(self) -> None:
        """Show the measured gauges to the siblings, and write the report. If Redis refuses it, there is no report."""
        figures = self._measured()
        if self.registry.is_shared:
            for figure in figures:
                self.registry.gauge(figure.metric).set(figure.value, *figure.labels)
        reported = {
            name_of(figure.metric.name, dict(zip(figure.metric.labels, figure.labels, strict=True))): figure.value
            for figure in figures
            if figure.metric.reported
        }
        if time.monotonic() < self._silent_until:
            return
        report = ProcessReport(
            self._role,
            socket.gethostname(),
            os.getpid(),
            self._started,
            self._version,
            self.registry.figures() | reported,
        )
        try:
            write(self._redis, self._names, report)
        except RedisError:
            self._silent_until = time.monotonic() + RETRIED_AFTER

    def _run(self, wait: Wait) -> None:
        self.report_once()
        while not wait(WRITTEN_EVERY):
            self.report_once()

    def _measured(self) -> list[Figure]:
        return list(chain.from_iterable(measure() for measure in self._measures))

    def _own_figures(self) -> list[Figure]:
        """Return the measured figures, unless the gauges that the workers share show them."""
        return [] if self.registry.is_shared else self._measured()
