"""A TCP forwarder: between a client and a server, a test can switch the server, cut connections and freeze them."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TypeVar

LOCALHOST = "127.0.0.1"
PIECE = 1_000_000

F = TypeVar("F", bound="Forwarder")


class Forwarder(ThreadingTCPServer):
    """Forwards each connection to the port `target`. If nothing listens there, it closes the connection.

    It passes on the server's data at least `lag` seconds late.
    """

    request_queue_size = 100

    def __init__(self, target: int) -> None:
        super().__init__((LOCALHOST, 0), Connection)
        self.port: int = self.server_address[1]
        self.flows = threading.Event()
        self.flows.set()
        self.lag = 0.0
        self._target = target
        self._lock = threading.Lock()
        self._open = set[socket.socket]()

    def switch(self, target: int) -> None:
        """Forward later connections to this port, and cut the present connections."""
        with self._lock:
            self._target = target
        self.cut()

    def cut(self) -> None:
        """Close the present connections. A client may connect again immediately."""
        with self._lock:
            for end in self._open:
                close(end)

    def freeze(self) -> None:
        """Keep all connections open, also new ones, but transport no further bytes."""
        self.flows.clear()

    def thaw(self) -> None:
        """Transport the bytes again, also those that arrived meanwhile."""
        self.flows.set()

    def connect(self, client: socket.socket) -> socket.socket:
        """Return a connection to the target. Raise OSError."""
        with self._lock:
            server = socket.create_connection((LOCALHOST, self._target))
            self._open |= {client, server}
        return server

    def observe(self, client: socket.socket, data: bytes) -> None:
        """Receive what a client sends. Subclasses override this method."""

    def forget(self, *ends: socket.socket) -> None:
        with self._lock:
            self._open.difference_update(ends)


class Connection(BaseRequestHandler):
    """The two directions of a connection. The thread of the server transports one of them."""

    server: Forwarder
    request: socket.socket

    def handle(self) -> None:
        with suppress(OSError), self.server.connect(self.request) as target:
            back = threading.Thread(target=self._transport, args=(target, self.request))
            back.start()
            self._transport(self.request, target)
            back.join()
            self.server.forget(self.request, target)

    def _transport(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(PIECE):
                self.server.flows.wait()
                if source is self.request:
                    self.server.observe(source, data)
                elif self.server.lag:
                    time.sleep(self.server.lag)
                sink.sendall(data)
        close(source)
        close(sink)


def close(end: socket.socket) -> None:
    """Make both directions of the socket end, and wake the thread that reads it."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def forwarding(target: int) -> Iterator[Forwarder]:
    """Run a forwarder, and close its connections at the end of the block."""
    with running(Forwarder(target)) as forwarder:
        yield forwarder


@contextmanager
def running(started: F) -> Iterator[F]:
    """Run this forwarder, and close its connections at the end of the block."""
    with started as forwarder:
        thread = threading.Thread(target=forwarder.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield forwarder
        finally:
            forwarder.shutdown()
            thread.join()
            forwarder.thaw()
            forwarder.cut()
