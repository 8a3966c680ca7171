"""Records what the service sends to PostgreSQL. Each string of statements costs a round trip."""

import socket
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from sqlalchemy import Engine

from allocation.adapters.postgres.driver.engine import TIMEOUTS, create_postgres_engine
from tests.support.forwarder import LOCALHOST, Forwarder, running
from tests.support.patience import PATIENCE

LENGTH = 4


class Recorder(Forwarder):
    """`strings` holds each string that a client has sent. The client must use the simple query protocol."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.strings: list[str] = []
        self._unread = defaultdict[socket.socket, bytes](bytes)
        self._began = set[socket.socket]()

    def observe(self, client: socket.socket, data: bytes) -> None:
        self._unread[client] += data
        while message := self._next_message(client):
            kind, body = message
            assert kind in b"QpX", f"{kind!r} is not a message of the simple query protocol"
            if kind == b"Q":
                self.strings.append(body.rstrip(b"\0").decode())

    def _next_message(self, client: socket.socket) -> tuple[bytes, bytes] | None:
        """Return the next complete message of the client: its type and its body. The first message has no type."""
        unread, kind = self._unread[client], int(client in self._began)
        length = int.from_bytes(unread[kind : kind + LENGTH])
        if len(unread) < kind + LENGTH or len(unread) < kind + length:
            return None
        self._began.add(client)
        self._unread[client] = unread[kind + length :]
        return unread[:kind], unread[kind + LENGTH : kind + length]


@contextmanager
def recorded_engine(database_url: str, **time_outs: str) -> Iterator[tuple[Engine, list[str]]]:
    """Yield an engine, and the strings that its sessions have sent."""
    address = urlsplit(database_url)
    with running(Recorder(address.port or 0)) as recorder:
        url = database_url.replace(f"{LOCALHOST}:{address.port}/", f"{LOCALHOST}:{recorder.port}/")
        limits = TIMEOUTS | {"idle_in_transaction_session_timeout": f"{PATIENCE}s"} | time_outs
        engine = create_postgres_engine(f"{url}?sslmode=disable", timeouts=limits)
        try:
            yield engine, recorder.strings
        finally:
            engine.dispose()
