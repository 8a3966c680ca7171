"""Reads the parameters of a query. Each function raises a Problem that names the parameter and its value."""

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


def require_identifier(name: str) -> None:
    """Refuse a name that is too long for an order, a product or a batch. Caches keep keys of such names."""
    if len(name) > LONGEST_IDENTIFIER:
        shown = repr(name[:LONGEST_SHOWN])
        raise Problem(400, f"An identifier has at most {LONGEST_IDENTIFIER} characters, not {len(name)}: {shown}")


def token_of(request: Request) -> ConsistencyToken | None:
    """Return the consistency token in the request's header, or in its parameter `at_least`."""
    header = request.header("allocation-token")
    texts = [*([] if header is None else [header]), *values_of(request, "at_least")]
    if not texts:
        return None
    if len(texts) > 1:
        raise Problem(400, f"A query may have one consistency token, not {len(texts)}")
    name, text = "at_least" if header is None else "Allocation-Token", texts[0]
    try:
        return ConsistencyToken.parse(text)
    except BadToken:
        raise Problem(
            400, f"{name} must be a token from the answer to a command, not {text[:LONGEST_SHOWN]!r}"
        ) from None


def page_request(request: Request) -> PageRequest:
    """Return the page that `limit` and `next` ask for. The list checks `next`."""
    return PageRequest(number(request, "limit", MOST_ENTRIES, FIRST_PAGE.limit), value_of(request, "next"))


def number(request: Request, name: str, largest: int, default: int | None = None) -> int:
    """Return an integer from 1 to `largest`. Without a default, the parameter is required."""
    value = value_of(request, name)
    if value is None and default is not None:
        return default
    if value is None:
        raise Problem(400, f"The parameter {name} is missing, for example ?{name}=5")
    if not (value.isascii() and value.isdecimal() and len(value) < 20 and 1 <= int(value) <= largest):
        raise Problem(400, f"{name} must be an integer from 1 to {largest}, not {value[:LONGEST_SHOWN]!r}")
    return int(value)


def flag(request: Request, name: str) -> bool:
    value = value_of(request, name)
    if value is None:
        return False
    if value not in {"0", "1"}:
        raise Problem(400, f"{name} must be 0 or 1, not {value[:LONGEST_SHOWN]!r}")
    return value == "1"


def value_of(request: Request, name: str) -> str | None:
    """Return the value of a parameter, or None. Refuse a parameter that occurs twice."""
    values = values_of(request, name)
    if len(values) > 1:
        raise Problem(400, f"The parameter {name} occurs {len(values)} times")
    return values[0] if values else None


def values_of(request: Request, name: str) -> list[str]:
    """Return the values of a parameter. Refuse a query with too many parameters."""
    if not request.scope.query_string:
        return []
    try:
        found = parse_qs(request.scope.query_string, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise Problem(400, f"A query may have at most {MOST_PARAMETERS} parameters") from None
    return found.get(name, [])
