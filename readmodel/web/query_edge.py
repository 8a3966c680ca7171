"""The edge of a process that only serves queries."""

from collections.abc import Callable

from readmodel.store.reads.shared_connection import SharedConnection
from readmodel.store.store import Store
from readmodel.web import queries
from readmodel.web.description.endpoint import Description, description_endpoints
from readmodel.web.description.operations import Operations
from readmodel.web.description.queries import query_operations
from readmodel.web.description.service import service_operations
from readmodel.web.edge.access import AccessTokens
from readmodel.web.edge.access_log import AccessLog
from readmodel.web.edge.bulkheads import Bulkhead
from readmodel.web.edge.edge import Edge, Endpoint
from readmodel.web.edge.flask_endpoint import FlaskEndpoint
from readmodel.web.health import Check, Finding, Health
from readmodel.web.pages import create_pages
from readmodel.web.readings import Readings


def create_query_edge(
    store: Store,
    connection: SharedConnection,
    threads: int,
    check_views: Callable[[], Finding],
    tokens: AccessTokens | None = None,
    access_log: AccessLog | None = None,
    started: Callable[[], None] = lambda: None,
) -> Edge:
    """Return the edge. `check_views` says whether queries can be answered. Without `tokens`, everybody may call it.

    The edge calls `started` when the process begins to serve requests.
    """
    bulkhead = Bulkhead("queries", threads)
    description = Description(operations, needs_tokens=tokens is not None)
    health = Health("queries", {"queries": Check(check_views)})
    endpoints: dict[str, Endpoint] = {
        **queries.query_endpoints(store.reader, Readings(connection, bulkhead)),
        "/health/live": health,
        "/health/ready": health,
        **description_endpoints(description, bulkhead),
    }
    pages = FlaskEndpoint(create_pages(description), bulkhead)
    return Edge(endpoints, pages, tokens, access_log, started)


def operations() -> Operations:
    return {**query_operations(), **service_operations()}
