"""Queries for many orders, compared with bare apps that read the finished answers from Redis."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from http.client import HTTPConnection

from redis import Redis

from benchmarks.apps import bare_callable, bare_route
from benchmarks.load_generator.generator import CLIENTS
from benchmarks.load_generator.traffic import Traffic, WrongAnswers
from benchmarks.report.table import Row, at_least
from benchmarks.rounds import alternate
from benchmarks.stack.bench import Bench
from benchmarks.stack.shop import ORDER, ORDERS, queries

ROUTES = ("allocations", "orders")
TARGETS = {"bare Flask route": at_least(2.0), "WSGI callable": at_least(0.8)}
APPS = {"bare Flask route": bare_route.FACTORY, "WSGI callable": bare_callable.FACTORY}


def measure_rows(bench: Bench) -> list[Row]:
    for route in ROUTES:
        store_answers(bench, route)
    with ExitStack() as servers:
        ports = {app: servers.enter_context(bench.stack.web_server(factory)).port for app, factory in APPS.items()}
        return [row for route in ROUTES for row in measure_route(bench, route, ports)]


def measure_route(bench: Bench, route: str, ports: Mapping[str, int]) -> list[Row]:
    service, same_answers = f"/{route}", Traffic("GET", f"/bare/{route}-<random>", many=ORDERS)
    attempts = {service: lambda: bench.send(queries(route)).rate}
    attempts |= {app: partial(rate, bench, same_answers, port) for app, port in ports.items()}
    found = alternate(bench.options.rounds, attempts)
    measured = f"`GET /{route}/<orderid>`, {ORDERS:,} orders, {CLIENTS} clients"
    return [
        Row(measured, "requests/s", found[service], f"{app}, one Redis GET of the same bytes", found[app], TARGETS[app])
        for app in ports
    ]


def rate(bench: Bench, traffic: Traffic, port: int) -> float:
    return bench.send(traffic, port).rate


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
