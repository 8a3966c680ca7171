"""Where the time of one command and of one query goes, as a table and as the picture of docs/performance.md.

The service's own functions are timed in a server process of one worker that answers one client; what a function
spends in another one that is timed counts there. What is left of the client's time is the web server and the sockets.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from flask import Flask
from sqlalchemy import Connection

from allocation import bootstrap
from allocation.adapters.postgres import event_log, unit_of_work
from allocation.adapters.postgres.repository import SqlProducts
from allocation.adapters.schemas.commands import CommandSchema
from allocation.entrypoints.http import app as http
from allocation.service_layer import messagebus
from benchmarks.bars import Bar, picture
from benchmarks.stack import Stack, request, throw_away
from readmodel.projector.fast_path import FastPath
from readmodel.store.connection import ThreadConnection
from readmodel.web import kit, queries

APP = "benchmarks.where_time_goes:create_app"
PICTURE = Path("docs/where-time-goes.svg")
TITLE = "One client: where the microseconds of a request go (each row to a scale of its own)"
REQUESTS = 2_000
WARM_UP = 300

# The order in which a request goes through them, and in which they are drawn.
TIMED: dict[str, list[tuple[Any, str]]] = {
    "Flask": [(Flask, "wsgi_app")],
    "body to command": [(CommandSchema, "from_json")],
    "message bus": [(messagebus.MessageBus, "handle")],
    "lock and read": [(unit_of_work, "load_products")],
    "decide": [(messagebus, "attempt")],
    "write": [(SqlProducts, "save")],
    "log": [(event_log, "append")],
    "commit": [(Connection, "commit")],
    "views": [(FastPath, "__call__")],
    "Redis": [(ThreadConnection, "send")],
    "answer": [(http, "json_response"), (queries, "json_response")],
}

spent: dict[str, float] = defaultdict(float)
inner = threading.local()


def create_app() -> Flask:
    """The service's own app, timed. `GET /spent` tells the seconds since the last look, by part."""
    for name, functions in TIMED.items():
        for owner, function in functions:
            setattr(owner, function, timed(name, getattr(owner, function)))
    app = bootstrap.create_web_app()
    app.add_url_rule("/spent", "spent", lambda: kit.json_response(take_spent()))
    return app


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose time without that of timed functions within it is counted under the name."""

    def measure(*arguments: Any, **named: Any) -> Any:
        outer, inner.seconds = getattr(inner, "seconds", 0.0), 0.0
        start = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            took = time.perf_counter() - start
            spent[name] += took - inner.seconds
            inner.seconds = outer + took

    return measure


def take_spent() -> dict[str, float]:
    taken = dict(spent)
    spent.clear()
    return taken


class Client:
    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = HTTPConnection("127.0.0.1", port)

    def parts(self, send: Callable[[int], None]) -> list[Bar]:
        """What the requests took, by part, in microseconds each; the last is what the client waited besides."""
        for number in range(WARM_UP):
            send(number)
        request(self._port, "GET", "/spent")
        waited = list[float]()
        for number in range(WARM_UP, WARM_UP + REQUESTS):
            start = time.perf_counter()
            send(number)
            waited.append(time.perf_counter() - start)
        _, found = request(self._port, "GET", "/spent")
        parts = [Bar(name, found[name] / REQUESTS * 1e6) for name in TIMED if name in found]
        rest = sum(waited) / REQUESTS * 1e6 - sum(part.length for part in parts)
        print(f"median {median(waited) * 1e6:.0f} µs")
        return [Bar("web server, sockets", rest), *parts]

    def allocate(self, number: int) -> None:
        body = orjson.dumps({"orderid": f"order-{number}", "sku": f"SKU-{number % 1000}", "qty": 1})
        self._exchange(202, "POST", "/allocate", body, {"Content-Type": "application/json"})

    def order(self, number: int) -> None:
        self._exchange(200, "GET", f"/orders/order-{number}")

    def allocations(self, number: int) -> None:
        self._exchange(200, "GET", f"/allocations/order-{number}")

    def _exchange(self, status: int, *words: Any) -> None:
        self._connection.request(*words)
        response = self._connection.getresponse()
        response.read()
        assert response.status == status, response.status


def measure(stack: Stack) -> Iterator[tuple[str, list[Bar]]]:
    with stack.running("relay"), stack.serving_as_configured(APP, ALLOCATION_WORKERS="1") as port:
        for number in range(1_000):
            request(port, "POST", "/add_batch", {"ref": f"b-{number}", "sku": f"SKU-{number}", "qty": 1_000_000})
        client = Client(port)
        yield "POST /allocate", client.parts(client.allocate)
        yield "GET /orders/…", client.parts(client.order)
        yield "GET /allocations/…", client.parts(client.allocations)


def main() -> None:
    with throw_away() as stack:
        rows = dict(measure(stack))
    names = list(dict.fromkeys(bar.name for bars in rows.values() for bar in bars))
    print(f"| µs | {' | '.join(names)} | all |\n{'|---' * (len(names) + 2)}|")
    for name, bars in rows.items():
        found = dict(bars)
        cells = [f"{found[part]:.0f}" if part in found else "" for part in names]
        print(f"| `{name}` | {' | '.join(cells)} | {sum(found.values()):.0f} |")
    PICTURE.write_text(picture(TITLE, "µs", rows))


if __name__ == "__main__":
    main()
