"""Clients that send their bodies slowly delay no other request, and a refused request is answered before its body."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from allocation.entrypoints.http import bodies
from tests.support.api import Api
from tests.support.patience import PATIENCE

SLOW_CLIENTS = 200


def begin(port: int, path: str, content_type: str, length: int, body: bytes = b"{") -> socket.socket:
    """Send the head of a request and the first bytes of its body."""
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    client.sendall(head.encode() + body)
    return client


def status_of(client: socket.socket) -> int:
    """Return the status of the response. The client sends nothing more."""
    received = b""
    while b"\r\n" not in received:
        part = client.recv(4_096)
        assert part, "the server closed the connection without a response"
        received += part
    return int(received.split()[1])


@pytest.fixture
def slow(port: int, api: Api) -> Iterator[list[socket.socket]]:
    """Yield clients whose commands and bulks lack most of their bodies."""
    assert api.add_batch("b1", "S", 100).status == 201
    with ExitStack() as stack:
        kinds = [("/allocate", "application/json"), ("/preview/allocate", "application/json")]
        kinds += [("/commands", "application/x-ndjson")]
        yield [stack.enter_context(begin(port, *kinds[number % len(kinds)], 1_000)) for number in range(SLOW_CLIENTS)]


@pytest.mark.slow
def test_slow_clients_delay_no_other_request(slow: list[socket.socket], port: int) -> None:
    other = Api(port)
    for number in range(20):
        assert other.allocate(f"o{number}", "S", 1).status == 202
        assert other.allocations(f"o{number}").status == 200
        assert other.get("health", "live").status == 200
        assert other.is_ready()
    other.connection.close()
    body = json.dumps({"orderid": "late", "sku": "S", "qty": 1}).encode()
    slow[0].sendall(body[1:] + b" " * (1_000 - len(body)))
    assert status_of(slow[0]) == 202, "a slow client that ends its body in time gets its answer"


@pytest.mark.slow
def test_a_body_that_does_not_end_gets_a_408(slow: list[socket.socket], port: int) -> None:
    assert {status_of(client) for client in slow} == {408, 503}  # Only some bulks got a thread.
    other = Api(port)
    assert other.get("orders", "late").status == 404
    other.connection.close()


REFUSED = [
    ("/nope", "application/json", 100, 404),
    ("/orders/o1", "application/json", 100, 405),
    ("/allocate", "text/plain", 100, 415),
    ("/allocate", "application/json", bodies.LARGEST_BODY + 1, 413),
    ("/commands", "application/x-ndjson", bodies.LARGEST_BULK + 1, 413),
    ("/commands", "application/json", 100, 415),
]


def test_a_refusal_does_not_wait_for_the_body(port: int) -> None:
    for path, content_type, length, status in REFUSED:
        with begin(port, path, content_type, length) as client:
            assert status_of(client) == status, path
