"""The edge of a process that only serves queries."""

from collections.abc import Callable
from functools import partial

from readmodel.store.reads.shared_connection import SharedConnection
from readmodel.store.store import Store
from readmodel.web import queries
from readmodel.web.description.endpoint import Description, description_endpoints
from readmodel.web.description.operations import Operations
from readmodel.web.description.queries import query_operations
from readmodel.web.description.service import metrics_operations, service_operations
from readmodel.web.edge.access import AccessTokens
from readmodel.web.edge.access_log import AccessLog
from readmodel.web.edge.bulkheads import Bulkhead
from readmodel.web.edge.edge import Edge, Endpoint
from readmodel.web.edge.flask_endpoint import FlaskEndpoint
from readmodel.web.edge.observer import UNOBSERVED, Observer
from readmodel.web.health import Check, Finding, Health
from readmodel.web.metrics import PATH, Expose, MetricsPage
from readmodel.web.pages import create_pages
from readmodel.web.readings import Readings


def create_query_edge(
    store: Store,
    connection: SharedConnection,
    threads: int,
    check_views: Callable[[], Finding],
    tokens: AccessTokens | None = None,
    observer: Observer = UNOBSERVED,
    expose: Expose | None = None,
    access_log: AccessLog | None = None,
    started: Callable[[], None] = lambda: None,
) -> Edge:
    """Return the edge. `check_views` says whether queries can be answered. Without `tokens`, everybody may call it.

    With `expose`, it shows metrics. The edge calls `started` when the process begins to serve requests.
    """
    bulkhead = Bulkhead("queries", threads, observer.refused)
    readings = Readings(connection, bulkhead, observer.refused)
    observer.watch({"queries": readings.limit, "large answers": bulkhead.free})
    description = Description(partial(operations, has_metrics=expose is not None), needs_tokens=tokens is not None)
    checks = {"queries": Check(check_views)}
    health = Health("queries", checks)
    endpoints: dict[str, Endpoint] = {
        **queries.query_endpoints(store.reader, readings),
        "/health/live": health,
        "/health/ready": health,
        **description_endpoints(description, bulkhead),
    }
    if expose is not None:
        endpoints[PATH] = MetricsPage(expose, checks, observer.refused)
    pages = FlaskEndpoint(create_pages(description), bulkhead)
    return Edge(endpoints, pages, tokens, observer, access_log, started)


def operations(*, has_metrics: bool) -> Operations:
    return {**query_operations(), **service_operations(), **(metrics_operations() if has_metrics else {})}
