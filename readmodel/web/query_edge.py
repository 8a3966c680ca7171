"""The edge of a process that only serves queries."""

from readmodel.store.store import Store
from readmodel.web import queries
from readmodel.web.edge.bulkheads import Bulkhead
from readmodel.web.edge.edge import Edge, Endpoint
from readmodel.web.edge.flask_endpoint import FlaskEndpoint
from readmodel.web.health import Check, Health
from readmodel.web.pages import create_pages


def create_query_edge(store: Store, threads: int, suspect_is_ready: bool = True) -> Edge:
    """Return the edge. While the views are suspect, the process is ready only if `suspect_is_ready`."""
    bulkhead = Bulkhead("queries", threads)
    health = Health("queries", {"queries": Check(lambda: queries.check_views(store, suspect_is_ready))})
    endpoints: dict[str, Endpoint] = {
        **queries.query_endpoints(store, bulkhead),
        "/health/live": health,
        "/health/ready": health,
    }
    return Edge(endpoints, FlaskEndpoint(create_pages(sorted(endpoints)), bulkhead))
