"""The edges of both kinds of web processes, without stores: they describe themselves, but execute nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allocation import bootstrap
from allocation.config import Settings
from readmodel.web.description.endpoint import Description
from readmodel.web.edge.bulkheads import Bulkhead
from readmodel.web.edge.edge import Edge
from readmodel.web.edge.flask_endpoint import FlaskEndpoint
from readmodel.web.pages import create_pages
from tests.support.edge_client import EdgeClient

STORES = Settings(database_url="postgresql://127.0.0.1:1/none", redis_url="redis://127.0.0.1:1/0")
EDGES = {"serve": bootstrap.create_web_app, "queries": bootstrap.create_query_app}


def edge_of(command: str, settings: Settings = STORES) -> Edge:
    return EDGES[command](settings)


def pages_without_routes() -> FlaskEndpoint:
    """Return the endpoint of other paths, for an edge that does not describe itself."""
    return FlaskEndpoint(create_pages(Description(dict, needs_tokens=False)), Bulkhead("pages", 1))


@contextmanager
def client_of(edge: Edge) -> Iterator[EdgeClient]:
    client = EdgeClient(edge)
    yield client
    client.close()


def description_of(client: EdgeClient) -> dict[str, Any]:
    found = client.get("/openapi.json")
    assert (found.status, found.headers["content-type"]) == (200, "application/json")
    document: dict[str, Any] = found.json
    return document
