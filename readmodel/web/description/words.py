"""The words of the description: about the service as a whole, its groups of routes, and the headers of its answers."""

from typing import Any

from readmodel.web.parameters import HEADER, Parameter

ABOUT = """\
The service allocates order lines to batches of stock. Commands change its state, and queries show it.

- **Errors** are `application/problem+json` (RFC 9457), with a `message`. Proxies and the web server itself may send
  other errors, without a body.
- **Methods.** A `GET` route also answers `HEAD`, and every route answers `OPTIONS`. Another method gets a 405, with the
  header `Allow`. An unknown path gets a 404.
- **Repeated commands.** A client may send a command again: the second request has no further effect. After a 503, the
  client should do that. With an `Idempotency-Key`, the second request gets the answer of the first one.
- **Access.** If the service has access tokens, each request needs one, unless the route needs none. The route says
  which scope the token needs. The scope `admin` includes the others.
"""

TAGS = {
    "commands": "Change the state. An answer has a `Location`, and a token that makes queries wait for the command.",
    "previews": "Show what a command would do, and change nothing.",
    "queries": "Show the state. They ignore parameters that they do not know.",
    "health": "For load balancers. They answer at once, even if a store hangs.",
    "service": "About this service.",
}

TEXT = {"type": "string"}
HEADERS: dict[str, dict[str, Any]] = {
    "Allocation-Token": {
        "description": "The consistency token of the command. A query with it waits until the view shows the command. "
        "A refusal has none",
        "schema": TEXT,
    },
    "Allocation-Views": {
        "description": "Warns that the views may be wrong (`suspect`) or old (`behind; seconds=N`)",
        "schema": {"type": "string", "pattern": r"^(suspect|behind; seconds=\d+)$"},
    },
    "ETag": {"description": "Names the content. Send it in `If-None-Match`", "schema": TEXT},
    "Location": {
        "description": "The query that shows the effect. It is missing if the name has a part `.` or `..`",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {
        "description": "Seconds after which the client may send the request again",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Vary": {"description": "The headers of the request on which the answer depends", "schema": TEXT},
    "X-Request-Id": {
        "description": "The correlation id: that of the request, or a new one. The service logs it",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {"description": "The kind of access token", "schema": {"type": "string", "const": "Bearer"}},
}
OF_EVERY_ANSWER = ("X-Request-Id",)
"""The headers that every answer has."""
OF_EVERY_REQUEST = (
    Parameter(
        "X-Request-Id",
        TEXT,
        "The correlation id: 1 to 128 visible ASCII characters. The service ignores another value",
        "b7ad6b7169203331",
        HEADER,
    ),
    Parameter("traceparent", TEXT, "A W3C trace context: its trace id replaces X-Request-Id", None, HEADER),
)
"""The headers that every request may have."""
