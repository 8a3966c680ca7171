"""The service's own app, with a timer in some of its functions.

`GET /benchmark/seconds` returns their times. A function's time excludes that of timed functions that it calls.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from typing import Any
from unittest.mock import patch

from allocation import bootstrap
from allocation.adapters.postgres import repository, unit_of_work
from allocation.adapters.postgres.driver.transaction import PostgresTransaction
from allocation.adapters.postgres.log import event_log
from allocation.adapters.postgres.repository import SqlProducts
from allocation.adapters.schemas.commands import CommandSchema
from allocation.entrypoints.http import app
from allocation.service_layer import messagebus
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.fast_path import FastPath
from readmodel.store.connection import ThreadConnection
from readmodel.store.reads.shared_connection import SharedConnection
from readmodel.web import queries
from readmodel.web.answers import Answer, json_answer
from readmodel.web.edge.edge import Edge
from readmodel.web.edge.request import Request

FACTORY = f"{__name__}:create_app"
SECONDS = "/benchmark/seconds"

# In the order in which a request passes through them. An imported function is replaced in the module that imports it:
# that module would not call a replacement in another one.
TIMED: dict[str, tuple[object, Callable[..., Any]]] = {
    "body to command": (CommandSchema, CommandSchema.from_json),
    "message bus": (MessageBus, MessageBus._commit),
    "lock and read": (unit_of_work, repository.load_products),
    "decide": (messagebus, messagebus.run_handler),
    "rows": (SqlProducts, SqlProducts.save),
    "events": (event_log, event_log.append),
    "write and commit": (PostgresTransaction, PostgresTransaction.commit),
    "views": (FastPath, FastPath.__call__),
    "Redis": (ThreadConnection, ThreadConnection.send),
    "Redis of a query": (SharedConnection, SharedConnection.exchange),
    "answer": (queries, json_answer),
}

seconds_of: dict[str, float] = defaultdict(float)
inner = threading.local()


class Seconds:
    """The endpoint of SECONDS."""

    methods = ("GET",)
    scope = None

    async def respond(self, _: Request) -> Answer:
        return json_answer(read_and_reset())


def create_app() -> Edge:
    for part, (owner, function) in TIMED.items():
        assert getattr(owner, function.__name__) is function, f"{owner} does not call {function}"
        setattr(owner, function.__name__, timed(part, function))
    with patch.object(app, "Edge", lambda endpoints, *others: Edge({**endpoints, SECONDS: Seconds()}, *others)):
        return bootstrap.create_web_app()


def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with a timer that adds to the seconds of `part`."""

    @contextmanager
    def measured() -> Iterator[None]:
        outer, inner.seconds = getattr(inner, "seconds", 0.0), 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            total = time.perf_counter() - start
            seconds_of[part] += total - inner.seconds
            inner.seconds = outer + total

    def measure(*arguments: Any, **named: Any) -> Any:
        with measured():
            return function(*arguments, **named)

    async def measure_awaited(*arguments: Any, **named: Any) -> Any:
        with measured():
            return await function(*arguments, **named)

    return measure_awaited if iscoroutinefunction(function) else measure


def read_and_reset() -> dict[str, float]:
    """Return the seconds of each part since the last call."""
    found = dict(seconds_of)
    seconds_of.clear()
    return found
