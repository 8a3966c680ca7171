import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.api import Api
from tests.support.e2e.threads import in_threads
from tests.support.failovers.service import Service, view_flag

Seen = tuple[int, str | None]
"""The status of an answer, and its flag."""


@contextmanager
def watched_order(service: Service, orderid: str) -> Iterator[list[Seen]]:
    """Query the order without pause. Yield the list of the answers, in which each differs from the one before."""
    seen: list[Seen] = []

    def watch(done: threading.Event) -> None:
        api = Api(service.api.connection.port)
        while not done.is_set():
            answer = api.get("orders", orderid)
            if [(answer.status, view_flag(answer))] != seen[-1:]:
                seen.append((answer.status, view_flag(answer)))
        api.connection.close()

    with in_threads(watch):
        yield seen
