"""The edge reports each answer under its route. No text of a client becomes the name of a route."""

from collections.abc import Iterator, Mapping

import pytest

from readmodel.web.answers import Answer, Problem
from readmodel.web.edge.access import METRICS, QUERY, AccessTokens, new_token
from readmodel.web.edge.edge import Edge, Endpoint
from readmodel.web.edge.observer import Observer
from readmodel.web.edge.request import Request
from readmodel.web.health import Check, Finding
from readmodel.web.metrics import MetricsPage
from tests.support.description.edges import pages_without_routes
from tests.support.edge_client import EdgeClient


class Recorder(Observer):
    def __init__(self) -> None:
        self.answers: list[tuple[str, int]] = []

    def answered(self, route: str, status: int, seconds: float) -> None:
        assert seconds >= 0
        self.answers.append((route, status))


class Named:
    """An endpoint that answers with the status in the request's name."""

    methods = ("GET",)
    scope = QUERY

    async def respond(self, request: Request) -> Answer:
        if request.name == "problem":
            raise Problem(409, "No")
        if request.name == "bug":
            raise ZeroDivisionError
        return Answer(200, b"", "text/plain")


def expose(findings: Mapping[str, Finding]) -> bytes:
    return str({role: finding.reason for role, finding in findings.items()}).encode()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def client(recorder: Recorder) -> Iterator[EdgeClient]:
    page = MetricsPage(expose, {"queries": Check(lambda: Finding("no Redis"))})
    endpoints: dict[str, Endpoint] = {"/orders": Named(), "/orders/": Named(), "/metrics": page}
    client = EdgeClient(Edge(endpoints, pages_without_routes(), observer=recorder))
    yield client
    client.close()


def test_each_answer_counts_under_its_route(client: EdgeClient, recorder: Recorder) -> None:
    for path in ("/orders", "/orders/o1", "/orders/problem", "/orders/bug", "/orders/", "/orders/a/b", "/nothing/o1"):
        client.get(path)
    client.request("DELETE", "/orders/o2")
    assert recorder.answers == [
        ("/orders", 200),
        ("/orders/{}", 200),
        ("/orders/{}", 409),
        ("/orders/{}", 500),
        ("other", 404),
        ("/orders/{}", 200),
        ("other", 404),
        ("/orders/{}", 405),
    ]


def test_refused_callers_count_under_their_route(recorder: Recorder) -> None:
    secret, token = new_token("shop", [METRICS], None)
    client = EdgeClient(Edge({"/orders/": Named()}, pages_without_routes(), AccessTokens([token]), observer=recorder))
    client.get("/orders/o1")
    client.request("GET", "/orders/o1", authorization=f"Bearer {secret}")
    client.close()
    assert recorder.answers == [("/orders/{}", 401), ("/orders/{}", 403)]


def test_metrics_show_what_the_checks_have_found(client: EdgeClient) -> None:
    assert client.get("/metrics").body == b"{'queries': 'no Redis'}"


class Failing(Observer):
    def answered(self, route: str, status: int, seconds: float) -> None:
        raise OSError("No such file or directory")


def test_an_error_of_the_observer_changes_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    client = EdgeClient(Edge({"/orders/": Named()}, pages_without_routes(), observer=Failing()))
    assert [client.get("/orders/o1").status for _ in range(3)] == [200] * 3
    client.close()
    assert caplog.text.count("The metrics lack values") == 1
