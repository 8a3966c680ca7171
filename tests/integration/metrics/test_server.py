"""The port of metrics of a process without a web server."""

import socket
from collections.abc import Callable

import pytest

from allocation.local.ports import free_port
from readmodel.metrics import server
from readmodel.metrics.server import MetricsServer
from readmodel.web.edge.access import METRICS, QUERY, AccessTokens, new_token
from tests.support.api import Answer, Api

TEXT = b"# TYPE a counter\na 1.0\n"


def started(expose: Callable[[], bytes] = lambda: TEXT, tokens: AccessTokens | None = None) -> int:
    port = free_port()
    MetricsServer("127.0.0.1", port, expose, tokens).start()
    return port


def get(port: int, path: str = "metrics", token: str | None = None) -> Answer:
    api = Api(port, token)
    try:
        return api.get(path)
    finally:
        api.connection.close()


def test_port_shows_the_metrics_and_nothing_else() -> None:
    port = started()
    assert get(port).body == TEXT.decode()
    other = get(port, "health")
    assert (other.status, other.json["message"]) == (404, "This process serves only /metrics")


def test_port_needs_a_token_with_the_scope() -> None:
    (allowed, first), (other, second) = new_token("prometheus", [METRICS], None), new_token("shop", [QUERY], None)
    port = started(tokens=AccessTokens([first, second]))
    assert [get(port, token=token).status for token in (allowed, other, None)] == [200, 403, 401]


def test_slow_client_delays_others_only_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TIMEOUT", 0.2)
    port = started()
    with socket.create_connection(("127.0.0.1", port)):
        assert get(port).status == 200


def test_bug_does_not_end_the_server(caplog: pytest.LogCaptureFixture) -> None:
    faults = [ZeroDivisionError()]

    def expose() -> bytes:
        if faults:
            raise faults.pop()
        return TEXT

    port = started(expose)
    with pytest.raises(OSError, match="without response"):
        get(port)
    assert get(port).status == 200
    assert "The metrics can't be shown because of a bug" in caplog.messages
