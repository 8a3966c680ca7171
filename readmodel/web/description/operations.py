"""What `/openapi.json` says about a route: its parameters, its body and its answers."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import orjson
from pydantic import Field
from typing_extensions import TypedDict

from readmodel.web.answers import PROBLEM, problem
from readmodel.web.edge.access import ADMIN, ANY, UNAUTHENTICATED
from readmodel.web.parameters import Parameter

Text = Annotated[str, Field(examples=["OK"])]


class Problem(TypedDict):
    """An error (RFC 9457). `message` and `detail` are the same text."""

    type: Annotated[str, Field(examples=["about:blank"])]
    title: Annotated[str, Field(examples=["Bad Request"])]
    status: Annotated[int, Field(ge=400, le=599, examples=[400])]
    detail: Annotated[str, Field(examples=["qty is missing"])]
    message: Annotated[str, Field(examples=["qty is missing"])]


class Reply(NamedTuple):
    """One of the answers of a route.

    `contents` maps each media type to the type of the body. pydantic makes a schema of that type. Without an `example`,
    its members have those of their types. Replies with the same `name` are equal, and described once.
    """

    description: str
    contents: Mapping[str, Any] = {}
    headers: tuple[str, ...] = ()
    example: object = None
    name: str = ""


class Operation(NamedTuple):
    """A route with its method. `scope` is the scope that a caller needs: see the endpoint.

    `body` maps each media type to the type of the request's body, and `example` is an example of it.
    """

    method: str
    tag: str
    summary: str
    scope: str | None
    replies: Mapping[int, Reply]
    description: str = ""
    parameters: Sequence[Parameter] = ()
    body: Mapping[str, Any] = {}
    example: object = None


Operations = Mapping[str, Operation]
"""The operations by path. The path has the names of its parameters in braces. No path has several methods."""


def refused(
    status: int,
    description: str,
    message: str,
    *,
    shape: Any = Problem,
    headers: tuple[str, ...] = (),
    name: str = "",
    members: Mapping[str, Any] | None = None,
) -> Reply:
    """Return a reply with a problem. `message` and `members` are those of its example."""
    example = orjson.loads(problem(status, message, **(members or {})).body)
    return Reply(description, {PROBLEM: shape}, headers, example, name)


def access_replies(scope: str | None) -> dict[int, Reply]:
    """Return the answers to a caller without permission."""
    if scope is None:
        return {}
    replies = {
        401: refused(
            401,
            "The service needs access tokens, and the request has no valid one",
            UNAUTHENTICATED,
            headers=("WWW-Authenticate",),
            name="Unauthenticated",
        )
    }
    if scope != ANY:
        message = f"The access token shop lacks the scope {scope}"
        text = f"The access token has neither the scope {scope} nor {ADMIN}"
        replies[403] = refused(403, text, message, name=f"Lacks{scope.title()}")
    return replies
