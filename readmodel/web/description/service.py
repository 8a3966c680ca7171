"""What `/openapi.json` says about the routes that are neither commands nor queries."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from readmodel.web import metrics
from readmodel.web.answers import JSON
from readmodel.web.description.operations import Operation, Operations, Problem, Reply, Text, access_replies, refused
from readmodel.web.edge.access import ANY, METRICS
from readmodel.web.files import FILES, PAGE
from readmodel.web.parameters import HEADER, PATH, Parameter

HTML = "text/html"
MetricsText = Annotated[str, Field(examples=["allocation_store_up 1\n"])]
BUSY = refused(
    503,
    "The server is too busy",
    "The server is handling too many queries. Nothing was executed",
    headers=("Retry-After",),
)
UNCHANGED = Reply("The client has it already", headers=("ETag",), name="Unchanged")
KNOWN = Parameter("If-None-Match", {"type": "string"}, "The `ETag` of an earlier answer", None, HEADER)
FILE = Parameter(
    "file",
    {"type": "string", "enum": sorted(set(FILES) - {PAGE})},
    "The name of the file",
    "swagger-ui.css",
    PATH,
    is_required=True,
)
ACCEPT = Parameter(
    "Accept", {"type": "string"}, "A client that prefers text/html gets a page", "application/json", HEADER
)


class ListedRoute(TypedDict):
    method: Annotated[str, Field(examples=["GET"])]
    path: Annotated[str, Field(examples=["/orders/{orderid}"])]
    summary: Annotated[str, Field(examples=["The lines of an order"])]


class Index(TypedDict):
    """The routes of this process. `openapi` is the path of their description, and `docs` that of a page with it."""

    routes: list[ListedRoute]
    openapi: Annotated[str, Field(examples=["/openapi.json"])]
    docs: Annotated[str, Field(examples=["/docs"])]


class Live(TypedDict):
    status: Literal["live"]


Roles = Annotated[
    dict[str, str],
    Field(description="each role, with `ready` or the reason why it is not", examples=[{"queries": "ready"}]),
]


class Ready(TypedDict):
    status: Literal["ready"]
    roles: Roles
    views: NotRequired[Annotated[str, Field(description="the header Allocation-Views of queries")]]
    format: NotRequired[Annotated[str, Field(description="why an operator should rebuild the views")]]
    relay: NotRequired[Annotated[str, Field(description="since when no relay has shown a sign of life")]]


class NotReady(Problem):
    roles: Roles
    views: NotRequired[str]
    format: NotRequired[str]
    relay: NotRequired[str]


def service_operations() -> Operations:
    not_ready = refused(
        503,
        "The process can't serve its role. The message says why",
        "The views are 301 s behind",
        shape=NotReady,
        headers=("Retry-After",),
        members={"roles": {"queries": "The views are 301 s behind"}},
    )
    return {
        "/": Operation(
            "GET",
            "service",
            "The routes of this process",
            ANY,
            {200: Reply("The routes", {JSON: Index, HTML: Text}, ("Vary",)), **access_replies(ANY), 503: BUSY},
            parameters=[ACCEPT],
        ),
        "/openapi.json": Operation(
            "GET",
            "service",
            "This description",
            None,
            {
                200: Reply("OpenAPI 3.1", {JSON: dict[str, object]}, ("ETag",), {"openapi": "3.1.0"}),
                304: UNCHANGED,
                503: BUSY,
            },
            parameters=[KNOWN],
        ),
        "/docs": Operation(
            "GET",
            "service",
            "This description as a page, with a form for each request",
            None,
            {200: Reply("The page", {HTML: Text}, ("ETag",)), 304: UNCHANGED},
            parameters=[KNOWN],
        ),
        "/docs/{file}": Operation(
            "GET",
            "service",
            "The files of the page",
            None,
            {
                200: Reply("The file", {"text/css": Text, "text/javascript": Text}, ("ETag",)),
                304: UNCHANGED,
                404: refused(404, "There is no such file", "There is no file x"),
            },
            parameters=[FILE, KNOWN],
        ),
        "/health/live": Operation(
            "GET", "health", "Whether the process responds", None, {200: Reply("It does", {JSON: Live})}
        ),
        "/health/ready": Operation(
            "GET",
            "health",
            "Whether the process can serve its role",
            None,
            {200: Reply("It can", {JSON: Ready}), 503: not_ready},
        ),
    }


def metrics_operations() -> Operations:
    replies = {
        200: Reply("The metrics, in the text format of Prometheus", {"text/plain": MetricsText}),
        503: refused(
            503,
            "The server is handling too many of these requests",
            "The server is handling too many metrics. Nothing was executed",
            headers=("Retry-After",),
        ),
        **access_replies(METRICS),
    }
    return {metrics.PATH: Operation("GET", "service", "Metrics, for Prometheus", METRICS, replies)}
