"""`POST /commands`: lines a second, against requests a second of the single route."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import orjson

from benchmarks import views
from benchmarks.bench import Bench
from benchmarks.generator import CLIENTS
from benchmarks.numbers import alternate
from benchmarks.shop import ANY, SKU, SKUS, allocations
from benchmarks.table import Row, at_least
from benchmarks.traffic import WrongAnswers

BODIES = 2
LINES = 20_000
RIGHT = b'{"status":202}'


def rows(bench: Bench) -> list[Row]:
    found = alternate(
        bench.options.rounds,
        {"lines": lambda: lines_a_second(bench), "requests": lambda: bench.send(allocations(ANY)).rate},
    )
    what = f"`POST /commands`, {BODIES} clients, bodies of {LINES:,} lines, {SKUS:,} SKUs"
    against = f"`POST /allocate`, {CLIENTS} clients"
    return [Row(what, "a second", found["lines"], against, found["requests"], at_least(2.5))]


def lines_a_second(bench: Bench) -> float:
    bodies = [body() for _ in range(BODIES)]
    views.settle(bench.stack)
    started = time.perf_counter()
    with ThreadPoolExecutor(BODIES) as clients:
        right = sum(clients.map(lambda body: post(bench.port, body), bodies))
    taken = time.perf_counter() - started
    if right != BODIES * LINES:
        raise WrongAnswers(f"{BODIES * LINES - right} lines of {BODIES * LINES} were not answered with 202")
    return right / taken


def body() -> bytes:
    """The SKUs in an order that is the same in no two bodies."""
    prefix, step = uuid.uuid4().hex[:12], uuid.uuid4().int
    lines = (
        {"type": "allocate", "orderid": f"{prefix}-{n}", "sku": SKU.format(name=(step + 7 * n) % SKUS), "qty": 1}
        for n in range(LINES)
    )
    return b"\n".join(map(orjson.dumps, lines))


def post(port: int, body: bytes) -> int:
    """The number of lines that were right."""
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", "/commands", body, {"Content-Type": "application/x-ndjson"})
    answer = connection.getresponse().read()
    connection.close()
    return answer.splitlines().count(RIGHT)
