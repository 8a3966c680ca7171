"""The edge of a web worker: the endpoints of the commands, the queries and the health checks."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from allocation.adapters.schemas.commands import COMMANDS
from allocation.entrypoints.http.bulk import Bulk
from allocation.entrypoints.http.commands import PostCommand, PostPreview
from allocation.entrypoints.http.consistency import CreateToken
from allocation.entrypoints.http.database_outage import DatabaseOutage
from allocation.entrypoints.http.description.bulk import bulk_operation
from allocation.entrypoints.http.description.commands import command_operations
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Outcome
from readmodel.store.reads.shared_connection import SharedConnection
from readmodel.store.store import Store
from readmodel.web import queries, query_edge
from readmodel.web.description.endpoint import Description, description_endpoints
from readmodel.web.description.operations import Operations
from readmodel.web.edge.access import AccessTokens
from readmodel.web.edge.access_log import AccessLog
from readmodel.web.edge.bulkheads import Bulkhead
from readmodel.web.edge.deliveries import Deliveries
from readmodel.web.edge.edge import Edge, Endpoint
from readmodel.web.edge.flask_endpoint import FlaskEndpoint
from readmodel.web.edge.observer import UNOBSERVED, Observer
from readmodel.web.health import Check, Finding, Health
from readmodel.web.metrics import PATH, Expose, MetricsPage
from readmodel.web.pages import create_pages
from readmodel.web.readings import Readings


class Threads(NamedTuple):
    """The threads of a worker for each kind of request. Commands that share a transaction need none of them."""

    commands: int
    bulks: int
    queries: int


def create_edge(
    bus: MessageBus,
    store: Store,
    connection: SharedConnection,
    create_token: CreateToken,
    threads: Threads,
    reason_not_ready: Callable[[], str | None],
    check_views: Callable[[], Finding],
    tokens: AccessTokens | None = None,
    observer: Observer = UNOBSERVED,
    expose: Expose | None = None,
    access_log: AccessLog | None = None,
    started: Callable[[], None] = lambda: None,
) -> Edge:
    """Return the edge of a web worker. It opens no connection, so the worker starts even if a store is unavailable.

    `reason_not_ready` returns the reason why the worker can't execute commands, or None. `check_views` does the same
    for queries. Without `tokens`, everybody may call it. With `expose`, it shows metrics. The edge calls `started` when
    the process begins to serve requests.
    """
    outage = DatabaseOutage()

    def check_commands() -> Finding:
        reason = reason_not_ready()
        outage.note_check(reason)
        return Finding(reason)

    query_threads = Bulkhead("queries", threads.queries, observer.refused)
    command_threads = Bulkhead("commands", threads.commands, observer.refused)
    bulk_threads = Bulkhead("bulk requests", threads.bulks, observer.refused)
    readings = Readings(connection, query_threads, observer.refused)
    observer.watch(
        {
            "commands": command_threads.free,
            "bulks": bulk_threads.free,
            "queries": readings.limit,
            "large answers": query_threads.free,
        }
    )
    checks = {
        "commands": Check(check_commands),
        "queries": Check(check_views),
    }
    description = Description(partial(operations, has_metrics=expose is not None), needs_tokens=tokens is not None)
    health = Health("commands", checks)
    endpoints: dict[str, Endpoint] = {
        **command_endpoints(bus, command_threads, bulk_threads, create_token, outage, observer),
        **queries.query_endpoints(store.reader, readings),
        "/health/live": health,
        "/health/ready": health,
        **description_endpoints(description, query_threads),
    }
    if expose is not None:
        endpoints[PATH] = MetricsPage(expose, checks, observer.refused)
    pages = FlaskEndpoint(create_pages(description), query_threads)
    return Edge(endpoints, pages, tokens, observer, access_log, started)


def operations(*, has_metrics: bool) -> Operations:
    others = query_edge.operations(has_metrics=has_metrics)
    return {**command_operations(), "/commands": bulk_operation(), **others}


def command_endpoints(
    bus: MessageBus,
    command_threads: Bulkhead,
    bulk_threads: Bulkhead,
    create_token: CreateToken,
    outage: DatabaseOutage,
    observer: Observer = UNOBSERVED,
) -> Mapping[str, Endpoint]:
    deliveries = Deliveries[Outcome]()
    endpoints: dict[str, Endpoint] = {"/commands": Bulk(bus, bulk_threads, create_token, outage, observer)}
    for name, schema in COMMANDS.items():
        # For example: POST /allocate and POST /preview/allocate.
        endpoints[f"/{name}"] = PostCommand(bus, schema, command_threads, deliveries, create_token, outage)
        endpoints[f"/preview/{name}"] = PostPreview(bus, schema, command_threads, outage)
    return endpoints
