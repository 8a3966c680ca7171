"""The benchmarks' load generator, against a server that counts its requests and answers."""

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from benchmarks.load_generator import client, generator
from benchmarks.load_generator.traffic import Traffic, WrongAnswers

ALLOCATE = Traffic("POST", "/allocate", '{"orderid": "<id>", "sku": "sku-<random>"}', success=202, many=3)


class Server(ThreadingHTTPServer):
    """Answers every tenth request with 503, and the others with 202."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: Counter[int] = Counter()
        self.orders: set[str] = set()
        self.skus: set[str] = set()
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            status = 503 if self.server.answers.total() % 10 == 9 else 202
            self.server.answers[status] += 1
            self.server.orders.add(body["orderid"])
            self.server.skus.add(body["sku"])
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_client_counts_right_and_wrong_answers(server: Server) -> None:
    figures = client.send(server.server_port, ALLOCATE, clients=4, seconds=0.5)
    assert figures.wrong == server.answers[503] > 0
    assert figures.right == server.answers[202]
    assert len(server.orders) == server.answers.total(), "each request must have a new order id"
    assert server.skus == {"sku-0", "sku-1", "sku-2"}
    assert 0 < figures.p50 <= figures.p99


def test_the_client_sends_at_the_requested_rate(server: Server) -> None:
    figures = client.send(server.server_port, ALLOCATE, clients=4, seconds=0.5, rate=40)
    assert server.answers == {202: 18, 503: 2}
    assert figures.wrong == 2


def test_a_wrong_answer_fails_the_measurement(server: Server) -> None:
    with pytest.raises(WrongAnswers, match="were not 202"):
        generator.send_at(40, server.server_port, ALLOCATE, seconds=0.5, clients=2)


def test_a_failed_connection_counts_as_a_wrong_answer() -> None:
    figures = client.send(1, ALLOCATE, clients=1, seconds=0.2)
    assert figures.rate == 0
    assert figures.wrong > 0
