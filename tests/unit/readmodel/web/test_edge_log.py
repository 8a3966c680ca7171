"""The edge gives each request a correlation id, and logs it."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from readmodel.web.answers import Answer, Problem
from readmodel.web.edge.access_log import AccessLog
from readmodel.web.edge.edge import Edge
from readmodel.web.edge.request import Request
from tests.support.edge_client import EdgeClient, Headers, Response, Scope

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
MINE: dict[str, Any] = {"X-Request-Id": "mine"}


class Endpoint:
    """Serves /ok, and fails for other paths: with a bug for /bug."""

    methods: Sequence[str] | None = None
    scope = None

    async def respond(self, request: Request) -> Answer:
        if request.path == "/bug":
            raise ZeroDivisionError
        if request.path != "/ok":
            raise Problem(404, "There is no such path")
        request.caller = "shop"
        return Answer(200, b"OK", "text/plain")


@pytest.fixture
def client() -> Iterator[EdgeClient]:
    client = EdgeClient(Edge({}, Endpoint()))
    yield client
    client.close()


@pytest.mark.parametrize("path", ["/ok", "/bug", "/unknown"])
def test_each_response_has_the_id_of_its_request(client: EdgeClient, path: str) -> None:
    assert client.request("GET", path, traceparent=TRACEPARENT).headers["x-request-id"] == TRACE
    assert client.request("GET", path, **MINE).headers["x-request-id"] == "mine"
    first, second = (client.request("GET", path).headers["x-request-id"] for _ in range(2))
    assert first != second


def test_a_header_that_occurs_twice_is_ignored() -> None:
    pairs = [("x-request-id", "one"), ("x-request-id", "two")]
    request = Request(Scope("GET", "/ok", Headers([*pairs, ("traceparent", TRACEPARENT)])), Response(b""))
    assert request.correlation_id == TRACE
    assert Request(Scope("GET", "/ok", Headers(pairs)), Response(b"")).correlation_id not in {"one", "two"}


def test_a_bug_is_logged_with_the_id(client: EdgeClient, caplog: pytest.LogCaptureFixture) -> None:
    assert client.request("GET", "/bug", **MINE).status == 500
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert vars(record)["correlation_id"] == "mine"


def test_the_access_log_has_a_record_for_each_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    client = EdgeClient(Edge({}, Endpoint(), access_log=AccessLog()))
    client.request("GET", "/ok", **MINE)
    client.request("POST", "/unknown\n")
    client.close()
    first, second = records(caplog)
    assert (first["method"], first["path"], first["status"], first["bytes"]) == ("GET", "/ok", 200, 2)
    assert (first["actor"], first["correlation_id"]) == ("shop", "mine")
    assert first["milliseconds"] > 0
    assert (second["path"], second["status"], second["actor"]) == ("/unknown\n", 404, None)


def records(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.msg == "Answered a request"]


def test_the_access_log_cuts_what_a_client_chooses(caplog: pytest.LogCaptureFixture) -> None:
    """A slow reader of the log lets thousands of records wait."""
    caplog.set_level("INFO")
    client = EdgeClient(Edge({}, Endpoint(), access_log=AccessLog()))
    client.request("M" * 60_000, "/" + "p" * 60_000)
    client.close()
    [record] = records(caplog)
    assert (record["method"], record["path"]) == ("M" * 500, "/" + "p" * 499)
