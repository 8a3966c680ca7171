"""A shrink that takes many lines off a batch, and deliveries that fill many waiting lines, beside ordinary traffic."""

import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from sqlalchemy import text

from allocation import bootstrap
from allocation.domain.commands import Allocate, CreateBatch
from benchmarks.stack import Stack, request, throw_away

LINES = 100_000
PLACES = "SELECT coalesce(batchref, status), count(*) FROM order_lines WHERE sku = 'S' GROUP BY 1 ORDER BY 1"


class Watch:
    """What others get to see meanwhile."""

    def __init__(self, stack: Stack, port: int, processes: dict[str, psutil.Process]) -> None:
        self.commands: list[float] = []
        self.failures: list[int] = []
        self.states: set[str] = set()
        self.memory = dict.fromkeys(processes, 0)
        self._stack = stack
        self._port = port
        self._processes = processes
        self._done = threading.Event()

    @contextmanager
    def on(self) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._repeat, args=[one]) for one in (self._command, self._count, self._size)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._done.set()
            for thread in threads:
                thread.join()

    def _repeat(self, once: Callable[[], None]) -> None:
        while not self._done.is_set():
            once()
            self._done.wait(0.01)

    def _command(self) -> None:
        """A command on another SKU, and the query that must show its effect."""
        orderid, started = f"other-{time.monotonic_ns()}", time.perf_counter()
        status, _ = request(self._port, "POST", "/allocate", {"orderid": orderid, "sku": "OTHER", "qty": 1})
        shown, _ = request(self._port, "GET", f"/allocations/{orderid}")
        self.commands.append(time.perf_counter() - started)
        self.failures += [code for code in (status, shown) if code >= 400]

    def _count(self) -> None:
        with self._stack.engine.connect() as connection:
            found = connection.execute(text(PLACES)).all()
        self.states.add(", ".join(f"{count:,} {place}" for place, count in found))

    def _size(self) -> None:
        for name, process in self._processes.items():
            self.memory[name] = max(self.memory[name], process.memory_info().rss)


def measure(name: str, stack: Stack, port: int, processes: dict[str, psutil.Process], post: tuple[str, Any]) -> None:
    before = {process: processes[process].memory_info().rss for process in processes}
    watch = Watch(stack, port, processes)
    with watch.on():
        started = time.perf_counter()
        status, answer = request(port, "POST", *post)
        took = time.perf_counter() - started
        end = position(stack)
        while relayed(stack) < end:
            time.sleep(0.02)
        caught_up = time.perf_counter() - started
    say(f"\n{name}: {status} {answer}, {took:.1f} s; the relay was through after {caught_up:.1f} s")
    say(f"  memory (MB): {', '.join(f'{p} {before[p] >> 20} -> {watch.memory[p] >> 20}' for p in processes)}")
    times = sorted(watch.commands)
    median, slowest = 1000 * statistics.median(times), 1000 * times[-1]
    say(
        f"  meanwhile {len(times)} commands on another SKU, each with its query: "
        f"median {median:.0f} ms, slowest {slowest:.0f} ms, failed: {watch.failures or 'none'}"
    )
    say(f"  where others saw the lines meanwhile: {' or '.join(sorted(watch.states))}")


def position(stack: Stack) -> int:
    with stack.engine.connect() as connection:
        return int(connection.execute(text("SELECT max(position) FROM events")).scalar_one())


def relayed(stack: Stack) -> int:
    """How far the announcements have come, which are behind the views."""
    with stack.engine.connect() as connection:
        last = "SELECT max(position) FROM events WHERE type = 'Allocated'"
        done = f"SELECT cursor >= ({last}) FROM subscriptions WHERE name = 'line_allocated'"
        return position(stack) if connection.execute(text(done)).scalar_one() else 0


def say(line: str) -> None:
    print(line, flush=True)


def main(lines: int) -> None:
    with throw_away() as stack, stack.running("relay") as relay, stack.serving() as (port, web):
        bus = bootstrap.create_message_bus(stack.engine, bootstrap.leave_to_relay)
        list(bus.handle_all([CreateBatch("b1", "S", lines), CreateBatch("other", "OTHER", 1_000_000)]))
        list(bus.handle_all(Allocate(f"o{n}", "S", 1) for n in range(lines)))
        while relayed(stack) < position(stack):
            time.sleep(0.1)
        worker = max(psutil.Process(web.pid).children(recursive=True), key=lambda child: child.memory_info().rss)
        processes = {"worker": worker, "relay": psutil.Process(relay.pid)}
        for name, route, body in (
            (f"A shrink sends {lines:,} lines to the queue", "/change_batch_quantity", {"ref": "b1", "qty": 0}),
            (f"A delivery fills {lines:,} waiting lines", "/add_batch", {"ref": "b2", "sku": "S", "qty": lines}),
            ("Room for all of them in another batch", "/add_batch", {"ref": "b3", "sku": "S", "qty": lines}),
            (f"A shrink moves {lines:,} lines to it", "/change_batch_quantity", {"ref": "b2", "qty": 0}),
        ):
            measure(name, stack, port, processes, (route, body))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LINES)
