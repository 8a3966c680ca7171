"""What `/openapi.json` says about the queries. `ROUTES` has everything that differs between them."""

from readmodel.web.answers import JSON
from readmodel.web.description.operations import Operation, Operations, Reply, access_replies, refused
from readmodel.web.edge.access import QUERY
from readmodel.web.parameters import AT_LEAST, PATH, TOKEN
from readmodel.web.queries import OTHER_HISTORY, REBUILDING
from readmodel.web.routes import ROUTES, Route

BAD_QUERY = refused(
    400,
    "A parameter, an identifier or a consistency token is not valid. The message names it and its value",
    "limit must be an integer from 1 to 100, not '0'",
    name="BadQuery",
)
OTHER = refused(409, "The views show another history than the consistency token", OTHER_HISTORY, name="OtherHistory")
UNAVAILABLE = refused(
    503,
    "The views can't be read, do not show the command of the token yet, or need a rebuild; or the server is too busy. "
    "The header Retry-After is missing if an operator must act",
    REBUILDING,
    headers=("Retry-After",),
    name="ViewsUnavailable",
)
WARNING = ("Allocation-Views",)


def query_operations() -> Operations:
    return {path_of(path, route): operation(route) for path, route in ROUTES.items()}


def path_of(path: str, route: Route) -> str:
    """Return the path with the name of its parameter, for example /orders/{orderid}/history."""
    names = [f"{{{parameter.name}}}" for parameter in route.parameters if parameter.place == PATH]
    return path.format(*names) if "{}" in path else path + "".join(names)


def operation(route: Route) -> Operation:
    replies = {200: Reply(route.summary, {JSON: route.answer}, WARNING), 400: BAD_QUERY}
    if route.not_found:
        example = next(parameter.example for parameter in route.parameters if parameter.place == PATH)
        message = route.not_found.format(example)
        replies[404] = refused(404, "The views do not show this name", message, headers=WARNING)
    replies |= {409: OTHER, 503: UNAVAILABLE, **access_replies(QUERY)}
    return Operation("GET", "queries", route.summary, QUERY, replies, parameters=[*route.parameters, AT_LEAST, TOKEN])
