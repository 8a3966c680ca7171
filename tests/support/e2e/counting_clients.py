"""Clients that send commands and queries as fast as they can, and count the answers by route and status."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from itertools import count
from random import Random

from tests.support.api import Api

SKUS = 20
Key = tuple[str, str]


class Counts:
    """What the clients have seen: answers by route and status, results of bulk lines by status, and lost requests."""

    def __init__(self) -> None:
        self.answers = Counter[Key]()
        self.lines = Counter[tuple[str]]()
        self.lost = 0


class CountingClients:
    """So many clients, each with a connection and a random sequence of its own."""

    def __init__(self, port: int, clients: int) -> None:
        self._port = port
        self._clients = clients
        self._stop = threading.Event()
        self._threads = ThreadPoolExecutor(clients)
        self._found = [Counts() for _ in range(clients)]

    @contextmanager
    def running(self) -> Iterator["CountingClients"]:
        futures = [self._threads.submit(self._run, number) for number in range(self._clients)]
        try:
            yield self
        finally:
            self._stop.set()
            self._threads.shutdown()
        for future in futures:
            future.result()

    @property
    def answered(self) -> int:
        return sum(counts.answers.total() for counts in self._found)

    def total(self) -> Counts:
        total = Counts()
        for counts in self._found:
            total.answers += counts.answers
            total.lines += counts.lines
            total.lost += counts.lost
        return total

    def _run(self, number: int) -> None:
        counts, random, api = self._found[number], Random(number), Api(self._port)
        try:
            for turn in count():
                if self._stop.is_set():
                    return
                try:
                    send(api, random, f"o{number}-{turn}", counts)
                except (OSError, HTTPException):
                    counts.lost += 1
                    api.connection.close()
        finally:
            api.connection.close()


def prepare(port: int) -> None:
    api = Api(port)
    for number in range(SKUS):
        assert api.add_batch(f"b{number}", f"S{number}", 1_000_000).status == 201
    api.connection.close()


def send(api: Api, random: Random, orderid: str, counts: Counts) -> None:
    """Send one request, and count its answer. Some requests are refused or invalid, and some paths are unknown."""
    sku = f"S{random.randrange(SKUS)}"
    match random.randrange(10):
        case 0:
            counts.answers["/allocations/{}", str(api.allocations(orderid).status)] += 1
        case 1:
            status = api.request("GET", f"/products/{sku}/promise?qty=1").status
            counts.answers["/products/{}/promise", str(status)] += 1
        case 2:
            counts.answers["/allocate", str(api.allocate(orderid, "NO-SUCH-SKU", 1).status)] += 1
        case 3:
            counts.answers["/allocate", str(api.allocate(orderid, sku, 0).status)] += 1
        case 4:
            order = {"orderid": orderid, "lines": [{"sku": sku, "qty": 1}]}
            counts.answers["/allocate_order", str(api.post("allocate_order", order).status)] += 1
        case 5:
            counts.answers["other", str(api.get("no-such-path", orderid).status)] += 1
        case 6:
            send_bulk(api, orderid, sku, counts)
        case _:
            counts.answers["/allocate", str(api.allocate(orderid, sku, 1).status)] += 1


def send_bulk(api: Api, orderid: str, sku: str, counts: Counts) -> None:
    lines = [
        {"type": "allocate", "orderid": f"{orderid}-bulk", "sku": sku, "qty": 1},
        {"type": "deallocate", "orderid": "nobody", "sku": sku},
        {"type": "no such type"},
    ]
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    answer = api.post("commands", body, "application/x-ndjson")
    counts.answers["/commands", str(answer.status)] += 1
    if answer.status == 200:
        counts.lines.update((str(json.loads(line)["status"]),) for line in answer.body.splitlines())
