"""Measures a shrink that displaces many lines, and deliveries that fill many waiting lines, beside ordinary traffic."""

import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

import psutil
from sqlalchemy import text

from allocation import components
from allocation.domain.commands import Allocate, CreateBatch
from benchmarks.stack.observer import Observer
from benchmarks.stack.requests import request
from benchmarks.stack.throwaway import Stack, throwaway_stack

LINES = 100_000


def measure(stack: Stack, port: int, processes: Mapping[str, psutil.Process], name: str, path: str, body: Any) -> None:
    before = {process: processes[process].memory_info().rss for process in processes}
    observer = Observer(stack, port, processes)
    with observer.running():
        started = time.perf_counter()
        status, answer = request(port, "POST", path, body)
        answered = time.perf_counter() - started
        while not all_lines_announced(stack):
            time.sleep(0.02)
        announced = time.perf_counter() - started
    times = observer.command_seconds
    print(
        f"\n{name}: {status} {answer}, {answered:.1f} s; the relay had finished after {announced:.1f} s\n"
        f"  memory (MB): {', '.join(f'{p} {before[p] >> 20} -> {observer.memory[p] >> 20}' for p in processes)}\n"
        f"  meanwhile, {len(times)} commands on another SKU, each with its query: "
        f"median {1000 * statistics.median(times):.0f} ms, slowest {1000 * max(times):.0f} ms, "
        f"failed: {observer.failures or 'none'}\n"
        f"  places of the lines that another transaction saw: {' or '.join(sorted(observer.places))}",
        flush=True,
    )


def all_lines_announced(stack: Stack) -> bool:
    """Return whether the announcements, which follow the views, have reached the last allocation."""
    last = "SELECT max(position) FROM events WHERE type = 'Allocated'"
    with stack.engine.connect() as connection:
        reached = text(f"SELECT cursor >= ({last}) FROM subscriptions WHERE name = 'line_allocated'")
        return bool(connection.execute(reached).scalar_one())


def main(lines: int) -> None:
    with throwaway_stack() as stack, stack.relay() as relay, stack.web_server(ALLOCATION_WORKERS="1") as server:
        bus = components.create_message_bus(stack.engine, components.leave_to_relay)
        list(bus.handle_all([CreateBatch("b1", "S", lines), CreateBatch("other", "OTHER", 1_000_000)]))
        list(bus.handle_all(Allocate(f"o{n}", "S", 1) for n in range(lines)))
        while not all_lines_announced(stack):
            time.sleep(0.1)
        children = psutil.Process(server.process.pid).children(recursive=True)
        worker = max(children, key=lambda child: child.memory_info().rss)
        processes = {"worker": worker, "relay": psutil.Process(relay.pid)}
        for name, path, body in (
            (f"A shrink displaces {lines:,} lines, which then wait", "/change_batch_quantity", {"ref": "b1", "qty": 0}),
            (f"A delivery fills {lines:,} waiting lines", "/add_batch", {"ref": "b2", "sku": "S", "qty": lines}),
            ("Another batch with room for all lines", "/add_batch", {"ref": "b3", "sku": "S", "qty": lines}),
            (f"A shrink moves {lines:,} lines to that batch", "/change_batch_quantity", {"ref": "b2", "qty": 0}),
        ):
            measure(stack, server.port, processes, name, path, body)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LINES)
