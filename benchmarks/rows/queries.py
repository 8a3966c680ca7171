"""Queries over many orders, against a bare route that gets the very same answers from Redis as they are."""

from http.client import HTTPConnection

from redis import Redis

from benchmarks import bare
from benchmarks.bench import Bench
from benchmarks.generator import CLIENTS
from benchmarks.numbers import alternate
from benchmarks.shop import ORDER, ORDERS, queries
from benchmarks.table import Row, at_least
from benchmarks.traffic import Traffic, WrongAnswers

TARGETS = {"allocations": at_least(0.8), "orders": at_least(0.7)}


def rows(bench: Bench) -> list[Row]:
    for route in TARGETS:
        store_answers(bench, route)
    with bench.stack.serving_as_configured("benchmarks.bare:create_app") as port:
        return [row(bench, route, port) for route in TARGETS]


def row(bench: Bench, route: str, port: int) -> Row:
    same = Traffic("GET", f"/bare/{route}-<random>", many=ORDERS)
    found = alternate(
        bench.options.rounds,
        {
            f"/{route}": lambda: bench.send(queries(route)).rate,
            "/bare": lambda: bench.send(same, port).rate,
        },
    )
    what = f"`GET /{route}/<orderid>`, {ORDERS:,} orders, {CLIENTS} clients"
    against = "bare Flask route, one Redis GET of the same bytes"
    return Row(what, "requests/s", found[f"/{route}"], against, found["/bare"], TARGETS[route])


def store_answers(bench: Bench, route: str) -> None:
    connection = HTTPConnection("127.0.0.1", bench.port, timeout=60)
    with Redis.from_url(bench.stack.environment["REDIS_URL"]) as redis:
        for order in range(ORDERS):
            connection.request("GET", f"/{route}/{ORDER.format(name=order)}")
            answer = connection.getresponse()
            if answer.status != 200:
                raise WrongAnswers(f"{answer.status} for an order that was allocated")
            redis.set(f"{bare.PREFIX}{route}-{order}", answer.read())
    connection.close()
