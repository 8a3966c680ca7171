"""`POST /commands`: lines a second, compared with transactions a second of PostgreSQL alone."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import orjson

from benchmarks.load_generator.traffic import WrongAnswers
from benchmarks.references.pgbench import Script
from benchmarks.report.table import Row, at_least
from benchmarks.rounds import alternate
from benchmarks.stack.bench import PGBENCH_CLIENTS, Bench
from benchmarks.stack.shop import ANY, SKU, SKUS
from benchmarks.stack.views import wait_until_idle

BODIES = 2
LINES = 20_000
SUCCESS = b'{"status":202,'


def measure_rows(bench: Bench) -> list[Row]:
    found = alternate(
        bench.options.rounds,
        {"lines": lambda: lines_per_second(bench), "pgbench": lambda: bench.pgbench(Script.SEVEN_STATEMENTS, ANY).tps},
    )
    measured = f"`POST /commands`, {BODIES} clients, bodies of {LINES:,} lines, {SKUS:,} SKUs"
    reference = f"pgbench, the seven statements of one allocation, {PGBENCH_CLIENTS} clients"
    return [Row(measured, "a second", found["lines"], reference, found["pgbench"], at_least(3))]


def lines_per_second(bench: Bench) -> float:
    bodies = [new_body() for _ in range(BODIES)]
    wait_until_idle(bench.stack)
    started = time.perf_counter()
    with ThreadPoolExecutor(BODIES) as clients:
        succeeded = sum(clients.map(lambda body: post(bench.port, body), bodies))
    seconds = time.perf_counter() - started
    if succeeded != BODIES * LINES:
        raise WrongAnswers(f"{BODIES * LINES - succeeded} lines of {BODIES * LINES} did not get a 202")
    return succeeded / seconds


def new_body() -> bytes:
    """Return lines with new order ids. Each body starts with a SKU at random."""
    prefix, first = uuid.uuid4().hex[:12], uuid.uuid4().int
    lines = (
        {"type": "allocate", "orderid": f"{prefix}-{n}", "sku": SKU.format(name=(first + 7 * n) % SKUS), "qty": 1}
        for n in range(LINES)
    )
    return b"\n".join(map(orjson.dumps, lines))


def post(port: int, body: bytes) -> int:
    """Return the number of lines that succeeded."""
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", "/commands", body, {"Content-Type": "application/x-ndjson"})
    answer = connection.getresponse().read()
    connection.close()
    return sum(line.startswith(SUCCESS) for line in answer.splitlines())
