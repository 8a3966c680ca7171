"""The oversell check: many clients request more of a SKU than the stock has, and SQL judges the outcome."""

import random
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from benchmarks.load_generator.generator import CLIENTS
from benchmarks.peers.breaches import breaches
from benchmarks.peers.contenders import Contender
from benchmarks.stack.requests import request

SKU = "sku-scarce"
BATCHES = {"scarce-1": 70, "scarce-2": 70, "scarce-3": 70}
LINES = 300
MOST_UNITS = 3
PREFIX = "scarce-"
"""Each order id begins with it."""


class Oversold(Exception):
    """The stored lines contradict the stock or the answers."""


class Outcome(NamedTuple):
    """The units that all lines requested, the units on a batch, and the number of answers with each status."""

    requested: int
    allocated: int
    statuses: Counter[int]


def check(contender: Contender, port: int) -> Outcome:
    """Send the lines to the app on `port`. Raises Oversold."""
    contender.add_stock({SKU: BATCHES})
    requested = {f"{PREFIX}{number}": random.randint(1, MOST_UNITS) for number in range(LINES)}
    statuses = send(port, requested)
    acknowledged = {orderid: qty for orderid, qty in requested.items() if statuses[orderid] == 202}
    stored = contender.read_stored(PREFIX)
    found = [*breaches(BATCHES, acknowledged, stored), *contender.failed_checks()]
    allocated = sum(line.qty for line in stored if line.batchref is not None)
    if sum(requested.values()) <= sum(BATCHES.values()):
        found.append("the lines fit into the stock, so nothing was checked")
    if set(statuses.values()) - {202, 409}:
        found.append(f"a line got another answer than 202 or 409: {sorted(set(statuses.values()))}")
    if allocated != sum(BATCHES.values()):
        found.append(f"only {allocated} of {sum(BATCHES.values())} units are allocated")
    if found:
        raise Oversold(f"{contender.name}: {'; '.join(found)}")
    return Outcome(sum(requested.values()), allocated, Counter(statuses.values()))


def send(port: int, requested: Mapping[str, int]) -> dict[str, int]:
    """Send all lines, from many clients at once. Return the status of each order."""

    def allocate(line: tuple[str, int]) -> int:
        status, _ = request(port, "POST", "/allocate", {"orderid": line[0], "sku": SKU, "qty": line[1]})
        return status

    with ThreadPoolExecutor(CLIENTS) as clients:
        return dict(zip(requested, clients.map(allocate, requested.items()), strict=True))
