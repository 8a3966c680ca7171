"""The edge of a process that only serves queries."""

from collections.abc import Callable

from readmodel.store.reads.shared_connection import SharedConnection
from readmodel.store.store import Store
from readmodel.web import queries
from readmodel.web.edge.access import AccessTokens
from readmodel.web.edge.access_log import AccessLog
from readmodel.web.edge.bulkheads import Bulkhead
from readmodel.web.edge.edge import Edge, Endpoint
from readmodel.web.edge.flask_endpoint import FlaskEndpoint
from readmodel.web.health import Check, Finding, Health
from readmodel.web.pages import create_pages
from readmodel.web.readings import Readings
from readmodel.web.routes import ROUTES


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
    health = Health("queries", {"queries": Check(check_views)})
    endpoints: dict[str, Endpoint] = {
        **queries.query_endpoints(store.reader, Readings(connection, bulkhead)),
        "/health/live": health,
        "/health/ready": health,
    }
    pages = FlaskEndpoint(create_pages(sorted({*endpoints, *ROUTES})), bulkhead)
    return Edge(endpoints, pages, tokens, access_log, started)
