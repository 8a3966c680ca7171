"""Observes the service from outside while it handles a large transaction."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psutil
from sqlalchemy import text

from benchmarks.stack.requests import request
from benchmarks.stack.throwaway import Stack

PAUSE = 0.01
PLACES = "SELECT coalesce(batchref, status), count(*) FROM order_lines WHERE sku = 'S' GROUP BY 1 ORDER BY 1"


class Observer:
    """Records the seconds of other commands, failed statuses, the places of the lines, and peak memory in bytes."""

    def __init__(self, stack: Stack, port: int, processes: Mapping[str, psutil.Process]) -> None:
        self.command_seconds: list[float] = []
        self.failures: list[int] = []
        self.places: set[str] = set()
        self.memory = dict.fromkeys(processes, 0)
        self._stack = stack
        self._port = port
        self._processes = processes
        self._stopped = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Observe until the end of the block, in three threads."""
        observations = (self._send_command, self._count_lines, self._measure_memory)
        threads = [threading.Thread(target=self._repeat, args=[observe]) for observe in observations]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()

    def _repeat(self, observe: Callable[[], None]) -> None:
        while not self._stopped.is_set():
            observe()
            self._stopped.wait(PAUSE)

    def _send_command(self) -> None:
        """Send a command for another SKU, and the query that must show its effect."""
        orderid, started = f"other-{time.monotonic_ns()}", time.perf_counter()
        status, _ = request(self._port, "POST", "/allocate", {"orderid": orderid, "sku": "OTHER", "qty": 1})
        shown, _ = request(self._port, "GET", f"/allocations/{orderid}")
        self.command_seconds.append(time.perf_counter() - started)
        self.failures += [code for code in (status, shown) if code >= 400]

    def _count_lines(self) -> None:
        with self._stack.engine.connect() as connection:
            found = connection.execute(text(PLACES)).all()
        self.places.add(", ".join(f"{count:,} {place}" for place, count in found))

    def _measure_memory(self) -> None:
        for name, process in self._processes.items():
            self.memory[name] = max(self.memory[name], process.memory_info().rss)
