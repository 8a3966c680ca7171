"""The benchmarks' own client, against a server that knows what it was asked."""

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from benchmarks import client, generator
from benchmarks.traffic import Traffic, WrongAnswers

ALLOCATE = Traffic("POST", "/allocate", '{"orderid": "<id>", "sku": "sku-<random>"}', success=202, many=3)


class Server(ThreadingHTTPServer):
    """Answers 202, but every tenth time 503."""

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


def test_right_and_wrong_answers_are_counted_as_they_were_given(server: Server) -> None:
    figures = client.send(server.server_port, ALLOCATE, clients=4, seconds=0.5)
    assert figures.wrong == server.answers[503] > 0
    assert len(server.orders) == server.answers.total(), "every order is a new one"
    assert server.skus == {"sku-0", "sku-1", "sku-2"}
    assert 0 < figures.p50 <= figures.p99


def test_at_a_fixed_rate_as_many_are_sent_as_were_asked_for(server: Server) -> None:
    figures = client.send(server.server_port, ALLOCATE, clients=4, seconds=0.5, rate=40)
    assert server.answers == {202: 18, 503: 2}
    assert figures.wrong == 2


def test_a_wrong_answer_ends_the_measurement(server: Server) -> None:
    with pytest.raises(WrongAnswers, match="were not 202"):
        generator.send_at(40, server.server_port, ALLOCATE, seconds=0.5, clients=2)


def test_nobody_there_is_a_wrong_answer_too() -> None:
    figures = client.send(1, ALLOCATE, clients=1, seconds=0.2)
    assert figures.rate == 0
    assert figures.wrong > 0
