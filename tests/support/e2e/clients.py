import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.support.api import Answer, Api

THREADS = 16

Request = Callable[[Api], Answer]


class Clients:
    """Concurrent clients in threads of their own, spread over several web servers."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._threads = ThreadPoolExecutor(THREADS)
        self._local = threading.local()
        self._opened: list[Api] = []

    def __enter__(self) -> "Clients":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()
        for api in self._opened:
            api.connection.close()

    def send(self, requests: Sequence[Request]) -> list[Answer]:
        """Send the requests concurrently, each to the next server. Return the answers in the order of the requests."""
        return list(self._threads.map(self._send, range(len(requests)), requests))

    def _send(self, number: int, request: Request) -> Answer:
        if not hasattr(self._local, "apis"):
            self._local.apis = [Api(port) for port in self._ports]
            self._opened.extend(self._local.apis)
        return request(self._local.apis[number % len(self._ports)])
