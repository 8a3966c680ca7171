"""Queries for many orders, compared with a bare route that reads the finished answers from Redis."""

from http.client import HTTPConnection

from redis import Redis

from benchmarks.apps import bare_route
from benchmarks.load_generator.generator import CLIENTS
from benchmarks.load_generator.traffic import Traffic, WrongAnswers
from benchmarks.report.table import Row, at_least
from benchmarks.rounds import alternate
from benchmarks.stack.bench import Bench
from benchmarks.stack.shop import ORDER, ORDERS, queries

TARGETS = {"allocations": at_least(0.8), "orders": at_least(0.7)}


def measure_rows(bench: Bench) -> list[Row]:
    for route in TARGETS:
        store_answers(bench, route)
    with bench.stack.web_server(bare_route.FACTORY) as bare:
        return [measure_row(bench, route, bare.port) for route in TARGETS]


def measure_row(bench: Bench, route: str, bare: int) -> Row:
    same_answers = Traffic("GET", f"/bare/{route}-<random>", many=ORDERS)
    found = alternate(
        bench.options.rounds,
        {
            f"/{route}": lambda: bench.send(queries(route)).rate,
            "/bare": lambda: bench.send(same_answers, bare).rate,
        },
    )
    measured = f"`GET /{route}/<orderid>`, {ORDERS:,} orders, {CLIENTS} clients"
    reference = "bare Flask route, one Redis GET of the same bytes"
    return Row(measured, "requests/s", found[f"/{route}"], reference, found["/bare"], TARGETS[route])


def store_answers(bench: Bench, route: str) -> None:
    connection = HTTPConnection("127.0.0.1", bench.port, timeout=60)
    with Redis.from_url(bench.stack.redis_url) as redis:
        for order in range(ORDERS):
            connection.request("GET", f"/{route}/{ORDER.format(name=order)}")
            answer = connection.getresponse()
            if answer.status != 200:
                raise WrongAnswers(f"An allocated order got a {answer.status}")
            redis.set(f"{bare_route.PREFIX}{route}-{order}", answer.read())
    connection.close()
