"""The port of metrics of a process without a web server."""

import socket
from collections.abc import Callable
from contextlib import ExitStack, closing

import pytest

from allocation.local.ports import free_port
from readmodel.metrics import server
from readmodel.metrics.server import MetricsServer
from readmodel.web.answers import PROBLEM, SECURITY_HEADERS
from readmodel.web.edge.access import METRICS, QUERY, AccessTokens, new_token
from readmodel.web.metrics import CONTENT_TYPE
from tests.support.api import Answer, Api
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE

TEXT = b"# TYPE a counter\na 1.0\n"


def started(expose: Callable[[], bytes] = lambda: TEXT, tokens: AccessTokens | None = None) -> int:
    port = free_port()
    MetricsServer("127.0.0.1", port, expose, tokens).start()
    return port


def get(port: int, path: str = "metrics", token: str | None = None) -> Answer:
    return request(port, "GET", path, token)


def request(
    port: int, method: str, path: str = "metrics", token: str | None = None, body: bytes | None = None
) -> Answer:
    api = Api(port, token)
    with closing(api.connection):
        return api.request(method, f"/{path}", body)


def sent(port: int, raw: bytes) -> bytes:
    """Send these bytes, and return all bytes of the answer."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client, client.makefile("rb") as answer:
        client.sendall(raw)
        return answer.read()


def parsed(raw: bytes) -> Answer:
    head, _, body = raw.decode().partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(status.split()[1]), headers["content-type"], headers, body)


def eventually_shown(port: int) -> None:
    """Wait until the server has room for a connection."""

    def is_shown() -> bool:
        try:
            return get(port).body == TEXT.decode()
        except ConnectionError:
            return False

    assert eventually(is_shown)


def test_port_shows_the_metrics_and_nothing_else() -> None:
    port = started()
    assert get(port).body == TEXT.decode()
    other = get(port, "health")
    assert (other.status, other.json["message"]) == (404, "This process serves only /metrics")


def test_port_needs_a_token_with_the_scope() -> None:
    (allowed, first), (other, second) = new_token("prometheus", [METRICS], None), new_token("shop", [QUERY], None)
    port = started(tokens=AccessTokens([first, second]))
    assert [get(port, token=token).status for token in (allowed, other, None)] == [200, 403, 401]


def test_head_has_the_headers_of_get() -> None:
    port = started()
    found = request(port, "HEAD")
    assert (found.status, found.headers["content-length"], found.body) == (200, str(len(TEXT)), "")
    assert found.headers.keys() == get(port).headers.keys()


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "BREW"])
def test_other_methods_are_not_allowed(method: str) -> None:
    refused = request(started(), method, body=b"b" * 50_000)
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")
    assert (refused.content_type, refused.json["status"]) == (PROBLEM, 405)


def test_each_answer_has_the_security_headers() -> None:
    port = started(tokens=AccessTokens([]))
    malformed = parsed(sent(port, b"GET /metrics of today\r\n\r\n"))
    answers = [get(started()), get(port), get(port, "health"), request(port, "POST"), malformed]
    assert [answer.status for answer in answers] == [200, 401, 404, 405, 400]
    for answer in answers:
        assert answer.headers.items() >= dict(SECURITY_HEADERS).items()
        assert answer.headers["server"] == "allocation"
        assert answer.content_type == (CONTENT_TYPE if answer.status == 200 else PROBLEM)


def test_slow_client_does_not_delay_others() -> None:
    port = started()
    with socket.create_connection(("127.0.0.1", port)):
        assert get(port).status == 200


def test_client_that_sends_byte_after_byte_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TIMEOUT", 0.2)
    with socket.create_connection(("127.0.0.1", started())) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\nX: ")
        client.setblocking(False)

        def is_cut_off() -> bool:
            try:
                client.send(b"x")
                return client.recv(1) == b""
            except BlockingIOError:
                return False
            except ConnectionError:
                return True

        assert eventually(is_cut_off)


def test_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TIMEOUT", 0.2)
    monkeypatch.setattr(server, "CONNECTIONS", 1)
    bodies = [b"x" * 50_000_000, TEXT]
    port = started(lambda: bodies.pop(0))
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert eventually(lambda: len(bodies) == 1)
        eventually_shown(port)


def test_server_closes_connections_above_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TIMEOUT", PATIENCE)
    port = started()
    with ExitStack() as clients:
        for _ in range(server.CONNECTIONS):
            clients.enter_context(socket.create_connection(("127.0.0.1", port)))
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as further:
            assert further.recv(1) == b""
    eventually_shown(port)


def test_bug_does_not_end_the_server(caplog: pytest.LogCaptureFixture) -> None:
    faults = [ZeroDivisionError()]

    def expose() -> bytes:
        if faults:
            raise faults.pop()
        return TEXT

    port = started(expose)
    assert (get(port).status, get(port).status) == (500, 200)
    assert "The metrics can't be shown because of a bug" in caplog.messages
