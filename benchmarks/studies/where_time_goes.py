"""Measures which parts of the service use the time of a command and of a query.

It prints a table, and draws the picture of docs/performance.md. One worker answers one client, with timers in the
service's own functions. The web server and the sockets account for the rest of the time that the client waits.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPConnection
from statistics import median
from typing import Any

import orjson

from benchmarks.apps.profiled_app import FACTORY, SECONDS, TIMED
from benchmarks.report.bars import Bar, picture
from benchmarks.stack.requests import request
from benchmarks.stack.throwaway import ROOT, Stack, throwaway_stack

PICTURE = ROOT / "docs" / "where-time-goes.svg"
TITLE = "One client: where the microseconds of a request go (each row to a scale of its own)"
REQUESTS = 2_000
WARM_UP = 300


class Client:
    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = HTTPConnection("127.0.0.1", port)

    def measure(self, send: Callable[[int], None]) -> list[Bar]:
        """Return the mean microseconds that a request spends in each part."""
        for number in range(WARM_UP):
            send(number)
        request(self._port, "GET", SECONDS)
        waited = list[float]()
        for number in range(WARM_UP, WARM_UP + REQUESTS):
            start = time.perf_counter()
            send(number)
            waited.append(time.perf_counter() - start)
        _, seconds_of = request(self._port, "GET", SECONDS)
        parts = [Bar(name, seconds_of[name] / REQUESTS * 1e6) for name in TIMED if name in seconds_of]
        rest = sum(waited) / REQUESTS * 1e6 - sum(part.length for part in parts)
        print(f"median {median(waited) * 1e6:.0f} µs", flush=True)
        return [Bar("web server, sockets", rest), *parts]

    def allocate(self, number: int) -> None:
        body = orjson.dumps({"orderid": f"order-{number}", "sku": f"SKU-{number % 1000}", "qty": 1})
        self._exchange(202, "POST", "/allocate", body, {"Content-Type": "application/json"})

    def order(self, number: int) -> None:
        self._exchange(200, "GET", f"/orders/order-{number}")

    def allocations(self, number: int) -> None:
        self._exchange(200, "GET", f"/allocations/order-{number}")

    def _exchange(self, expected: int, *arguments: Any) -> None:
        self._connection.request(*arguments)
        response = self._connection.getresponse()
        response.read()
        assert response.status == expected, response.status


def measure(stack: Stack) -> Iterator[tuple[str, list[Bar]]]:
    with stack.relay(), stack.web_server(FACTORY, ALLOCATION_WORKERS="1") as server:
        for number in range(1_000):
            body = {"ref": f"b-{number}", "sku": f"SKU-{number}", "qty": 1_000_000}
            request(server.port, "POST", "/add_batch", body)
        client = Client(server.port)
        yield "POST /allocate", client.measure(client.allocate)
        yield "GET /orders/…", client.measure(client.order)
        yield "GET /allocations/…", client.measure(client.allocations)


def print_table(names: Sequence[str], rows: Mapping[str, Sequence[Bar]]) -> None:
    print(f"| µs | {' | '.join(names)} | all |\n{'|---' * (len(names) + 2)}|")
    for name, bars in rows.items():
        found = dict(bars)
        cells = [f"{found[part]:.0f}" if part in found else "" for part in names]
        print(f"| `{name}` | {' | '.join(cells)} | {sum(found.values()):.0f} |")


def main() -> None:
    with throwaway_stack() as stack:
        rows = dict(measure(stack))
    names = list(dict.fromkeys(bar.name for bars in rows.values() for bar in bars))
    never_called = TIMED.keys() - set(names)
    if never_called:
        raise RuntimeError(f"No request called the functions of: {', '.join(sorted(never_called))}")
    print_table(names, rows)
    PICTURE.write_text(picture(TITLE, "µs", rows))


if __name__ == "__main__":
    main()
