"""Measures each query on the views of the real orders: trips and commands per request, and latency at 200 requests/s.

It needs the data set of the tests. A request starts at its scheduled moment. So its latency includes the time that it
waits behind slower ones.
"""

import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from statistics import quantiles
from typing import NamedTuple, cast
from urllib.parse import quote

from redis import Redis
from sqlalchemy import text

from allocation.local.ports import free_port
from benchmarks.stack.loaded_bench import DATA, load
from benchmarks.stack.requests import is_ready
from benchmarks.stack.throwaway import CLI, Stack, terminating, throwaway_stack, wait_until
from readmodel.store.client import redis_client

RATE, SECONDS, THREADS = 200, 10, 8
COUNTED = 200
PER_TRIP = 5
"""Commands that each trip has for all of its queries: see `common_commands`. One of them is TIME."""

Path = Callable[[], str]


class Shop(NamedTuple):
    """Order ids, SKUs, and SKUs with waiting lines."""

    orderids: Sequence[str]
    skus: Sequence[str]
    short: Sequence[str]


def read_shop(stack: Stack) -> Shop:
    with stack.engine.connect() as connection:
        orderids = connection.execute(text("SELECT DISTINCT orderid FROM order_lines ORDER BY 1")).scalars().all()
        products = connection.execute(text("SELECT sku, waiting_lines FROM products ORDER BY 1")).all()
    return Shop(orderids, [row.sku for row in products], [row.sku for row in products if row.waiting_lines])


def routes(shop: Shop) -> dict[str, Path]:
    """Map each route to a function that returns a random path."""
    chosen = random.Random(1)

    def one(names: Sequence[str]) -> str:
        return quote(chosen.choice(names), safe="")

    return {
        "/orders/<orderid>": lambda: f"/orders/{one(shop.orderids)}",
        "/orders?id=… (10 ids)": lambda: "/orders?" + "&".join(f"id={one(shop.orderids)}" for _ in range(10)),
        "/orders/<orderid>/history": lambda: f"/orders/{one(shop.orderids)}/history",
        "/products (50)": lambda: "/products",
        "/products?limit=100": lambda: "/products?limit=100",
        "/products?short=1 (50)": lambda: "/products?short=1",
        "/products/<sku>": lambda: f"/products/{one(shop.skus)}",
        "/products/<sku>/waiting": lambda: f"/products/{one(shop.short)}/waiting",
        "/products/<sku>/promise": lambda: f"/products/{one(shop.skus)}/promise?qty={chosen.randint(1, 200)}",
        "/batches/<ref>": lambda: f"/batches/wh-{one(shop.skus)}",
    }


def commands_per_request(redis: Redis, port: int, path: Path) -> tuple[float, float]:
    """Return the trips and the other commands of a request, as the server has counted them."""
    get(port, [path() for _ in range(COUNTED)])  # Fill the caches.
    before = calls(redis)
    get(port, [path() for _ in range(COUNTED)])
    after = calls(redis)
    trips = after.get("time", 0) - before.get("time", 0)
    names = ("get", "info", "time", "hgetall", "zrange")
    commands = sum(after.get(name, 0) - before.get(name, 0) for name in names)
    return trips / COUNTED, (commands - PER_TRIP * trips) / COUNTED


def calls(redis: Redis) -> dict[str, int]:
    found = cast("dict[str, dict[str, int]]", redis.info("commandstats"))
    return {name.removeprefix("cmdstat_"): statistics["calls"] for name, statistics in found.items()}


def get(port: int, paths: Sequence[str], starts: Sequence[float] = ()) -> list[float]:
    """Query each path over one connection, perhaps at its moment. Return the seconds until each response."""
    connection, seconds = HTTPConnection("127.0.0.1", port, timeout=60), []
    for number, path in enumerate(paths):
        start = starts[number] if starts else time.perf_counter()
        time.sleep(max(0.0, start - time.perf_counter()))
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert response.status == 200, (response.status, path)
        seconds.append(time.perf_counter() - start)
    connection.close()
    return seconds


def latencies(port: int, path: Path) -> list[float]:
    """Query at RATE requests per second. Return the seconds of each response."""
    found, begin = list[float](), time.perf_counter() + 0.1

    def work(number: int) -> None:
        starts = [begin + (number + THREADS * step) / RATE for step in range(RATE * SECONDS // THREADS)]
        found.extend(get(port, [path() for _ in starts], starts))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def main() -> None:
    if not DATA.exists():
        sys.exit(f"The data set is missing: {DATA}")
    with throwaway_stack() as stack, stack.relay():
        load(stack)
        port, shop = free_port(), read_shop(stack)
        variables = {"ALLOCATION_PORT": str(port), "ALLOCATION_WORKERS": "1", "ALLOCATION_VERIFY_RATE": "0"}
        with terminating(stack.start(CLI, "queries", **variables)) as process:
            wait_until(lambda: is_ready(port), process)
            print("| route | trips | commands | p50 ms | p99 ms |\n|---|---|---|---|---|")
            for route, path in routes(shop).items():
                trips, commands = commands_per_request(redis_client(stack.redis_url), port, path)
                cuts = quantiles(latencies(port, path), n=100)
                cells = [
                    f"`{route}`",
                    f"{trips:.2f}",
                    f"{commands:.1f}",
                    f"{cuts[49] * 1e3:.1f}",
                    f"{cuts[98] * 1e3:.1f}",
                ]
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
