"""The parameters of queries. Each function reads one, or raises a Problem that names the parameter and its value."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from readmodel.store.lists import FIRST_PAGE, PageRequest
from readmodel.store.reads.consistency import BadToken, ConsistencyToken
from readmodel.store.registers import LONGEST_SHOWN
from readmodel.web.answers import Problem
from readmodel.web.edge.request import Request

MOST_PARAMETERS = 200
LONGEST_IDENTIFIER = 255
MOST_ENTRIES = 100
"""The largest value of `limit`."""
LARGEST_QUANTITY = 2**31 - 1
MOST_ORDERS = 100
PATH, QUERY, HEADER = "path", "query", "header"


class Parameter(NamedTuple):
    """A parameter of a request. `schema` is the JSON Schema of its value. It has the limits that a function checks."""

    name: str
    schema: Mapping[str, Any]
    description: str
    example: object
    place: str = QUERY
    is_required: bool = False


IDENTIFIER = {"type": "string", "minLength": 1, "maxLength": LONGEST_IDENTIFIER}
FLAG = {"type": "integer", "enum": [0, 1], "default": 0}
ENCODED = "percent-encoded, so it may contain any character"

ORDERID = Parameter("orderid", IDENTIFIER, f"The id of the order, {ENCODED}", "order-1", PATH, is_required=True)
SKU = Parameter("sku", IDENTIFIER, f"The SKU, {ENCODED}", "RED-CHAIR", PATH, is_required=True)
REF = Parameter("ref", IDENTIFIER, f"The reference of the batch, {ENCODED}", "ship-1", PATH, is_required=True)
IDS = Parameter(
    "id",
    {"type": "array", "items": IDENTIFIER, "minItems": 1, "maxItems": MOST_ORDERS},
    "The ids of the orders: one parameter for each",
    ["order-1", "order-2"],
    is_required=True,
)
EXPLAIN = Parameter("explain", FLAG, "With 1, each line has `why`", 1)
SHORT = Parameter("short", FLAG, "With 1, only SKUs with waiting lines: the most waiting units first", 1)
QTY = Parameter(
    "qty",
    {"type": "integer", "minimum": 1, "maximum": LARGEST_QUANTITY},
    "The quantity of the line",
    5,
    is_required=True,
)
LIMIT = Parameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MOST_ENTRIES, "default": FIRST_PAGE.limit},
    "The largest number of entries on the page",
    20,
)
NEXT = Parameter("next", {"type": "string"}, "The member `next` of the previous page of the same list", None)
PAGE = (LIMIT, NEXT)
TOKEN_HEADER = "Allocation-Token"  # noqa: S105  # It is the name of a header.
AT_LEAST = Parameter("at_least", {"type": "string"}, f"The same as the header {TOKEN_HEADER}", None)
TOKEN = Parameter(
    TOKEN_HEADER,
    {"type": "string"},
    "The consistency token of a command: the query waits until the view shows that command",
    None,
    HEADER,
)


def require_identifier(name: str) -> None:
    """Refuse a name that is too long for an order, a product or a batch. Caches keep keys of such names."""
    if len(name) > LONGEST_IDENTIFIER:
        shown = repr(name[:LONGEST_SHOWN])
        raise Problem(400, f"An identifier has at most {LONGEST_IDENTIFIER} characters, not {len(name)}: {shown}")


def token_of(request: Request) -> ConsistencyToken | None:
    """Return the consistency token in the request's header, or in its parameter `at_least`."""
    header = request.header(TOKEN_HEADER.lower())
    texts = [*([] if header is None else [header]), *values_of(request, AT_LEAST)]
    if not texts:
        return None
    if len(texts) > 1:
        raise Problem(400, f"A query may have one consistency token, not {len(texts)}")
    name, text = AT_LEAST.name if header is None else TOKEN_HEADER, texts[0]
    try:
        return ConsistencyToken.parse(text)
    except BadToken:
        raise Problem(
            400, f"{name} must be a token from the answer to a command, not {text[:LONGEST_SHOWN]!r}"
        ) from None


def page_request(request: Request) -> PageRequest:
    """Return the page that `limit` and `next` ask for. The list checks `next`."""
    return PageRequest(number(request, LIMIT), value_of(request, NEXT))


def number(request: Request, parameter: Parameter) -> int:
    """Return an integer within the limits of the parameter's schema. Without a default, the parameter is required."""
    name, schema, value = parameter.name, parameter.schema, value_of(request, parameter)
    least, largest = schema["minimum"], schema["maximum"]
    if value is None and "default" in schema:
        return int(schema["default"])
    if value is None:
        raise Problem(400, f"The parameter {name} is missing, for example ?{name}={parameter.example}")
    if not (value.isascii() and value.isdecimal() and len(value) < 20 and least <= int(value) <= largest):
        raise Problem(400, f"{name} must be an integer from {least} to {largest}, not {value[:LONGEST_SHOWN]!r}")
    return int(value)


def flag(request: Request, parameter: Parameter) -> bool:
    value = value_of(request, parameter)
    if value is None:
        return False
    if value not in {"0", "1"}:
        raise Problem(400, f"{parameter.name} must be 0 or 1, not {value[:LONGEST_SHOWN]!r}")
    return value == "1"


def identifiers(request: Request, parameter: Parameter) -> list[str]:
    """Return the values of a parameter that occurs once for each identifier, each value once."""
    values, most = list(dict.fromkeys(values_of(request, parameter))), parameter.schema["maxItems"]
    if not 1 <= len(values) <= most:
        found = f"not {len(values)} times, for example ?id=a&id=b"
        raise Problem(400, f"The parameter {parameter.name} must occur 1 to {most} times, {found}")
    for value in values:
        if not value:
            raise Problem(400, f"The parameter {parameter.name} must not be empty")
        require_identifier(value)
    return values


def value_of(request: Request, parameter: Parameter) -> str | None:
    """Return the value of a parameter, or None. Refuse a parameter that occurs twice."""
    values = values_of(request, parameter)
    if len(values) > 1:
        raise Problem(400, f"The parameter {parameter.name} occurs {len(values)} times")
    return values[0] if values else None


def values_of(request: Request, parameter: Parameter) -> list[str]:
    """Return the values of a parameter. Refuse a query with too many parameters."""
    if not request.scope.query_string:
        return []
    try:
        found = parse_qs(request.scope.query_string, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise Problem(400, f"A query may have at most {MOST_PARAMETERS} parameters") from None
    return found.get(parameter.name, [])
