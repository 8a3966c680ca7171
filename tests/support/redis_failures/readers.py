"""Clients that query orders without a pause, and judge each answer."""

import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

import pytest

from tests.support.api import Answer, Api
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.redis_failures.orders import FLAG, GrowingOrders, quantity_in

READERS, MANY = 3, 50
LIMIT = 1
"""Seconds. The web processes must mark older views as behind."""


class Verdict(Enum):
    RIGHT = "right"
    BEHIND = "flagged as behind"
    UNAVAILABLE = "503"
    WRONG = "wrong"


class Readers:
    """Threads that query the orders at one web process.

    An answer without a flag is wrong if the view lacks
    - what an earlier answer of this process has shown, or
    - what the service had accepted LIMIT seconds before the query.
    """

    def __init__(self, port: int, orders: GrowingOrders) -> None:
        self._wrong: list[str] = []
        self._port = port
        self._orders = orders
        self._verdicts: list[tuple[float, Verdict]] = []
        self._shown = defaultdict[str, int](int)
        self._lock = threading.Lock()

    def run(self, done: threading.Event) -> None:
        api = Api(self._port)
        while not done.is_set():
            self._query(api, random.choice(list(self._orders.quantities)))
        api.connection.close()

    def next_verdicts(self) -> set[Verdict]:
        """Return the verdicts on at least MANY queries that begin after this call. Fail if an answer was wrong."""
        moment = time.monotonic()

        def later() -> list[Verdict]:
            return [verdict for begin, verdict in self._verdicts if begin > moment]

        found = eventually(lambda: verdicts if len(verdicts := later()) >= MANY else [])
        self.require_no_wrong_answer()
        return set(found)

    def require_no_wrong_answer(self) -> None:
        if self._wrong:  # An AssertionError would make `eventually` repeat its attempt.
            pytest.fail("\n".join(self._wrong[:5]))

    def _query(self, api: Api, orderid: str) -> None:
        begin = time.monotonic()
        least = max(self._shown[orderid], self._orders.accepted_before(orderid, begin - LIMIT))
        answer = api.get("orders", orderid)
        verdict = self._judge(answer, least)
        if verdict is Verdict.WRONG:
            self._wrong.append(f"{orderid} must show {least} or more: {answer}")
        with self._lock:
            self._shown[orderid] = max(self._shown[orderid], quantity_in(answer) or 0)
        self._verdicts.append((begin, verdict))

    def _judge(self, answer: Answer, least: int) -> Verdict:
        quantity, flag = quantity_in(answer), answer.headers.get(FLAG)
        if quantity is None:
            return Verdict.UNAVAILABLE if "retry-after" in answer.headers else Verdict.WRONG
        if flag is None:
            return Verdict.RIGHT if quantity >= least else Verdict.WRONG
        seconds = re.fullmatch(r"behind; seconds=(\d+)", flag)
        return Verdict.BEHIND if seconds and int(seconds[1]) >= LIMIT else Verdict.WRONG


@contextmanager
def reading(port: int, orders: GrowingOrders) -> Iterator[Readers]:
    """Query the orders while the block runs. Fail if an answer was wrong."""
    readers = Readers(port, orders)
    with in_threads(*[readers.run] * READERS):
        readers.next_verdicts()
        yield readers
        readers.next_verdicts()
    readers.require_no_wrong_answer()
