"""The error for invalid input: a JSON object, a CSV row, or a header of a request."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from allocation.adapters.schemas.fields import LONGEST_IDENTIFIER, MOST_LINES

MOST_NAMED = 20
LONGEST_SHOWN = 80

STRING = f"must be a string of 1 to {LONGEST_IDENTIFIER} characters"
REASONS = {
    "missing": "is missing",
    "json_invalid": "must be JSON",
    "string_type": STRING,
    "string_too_short": STRING,
    "string_too_long": STRING,
    "string_unicode": "must be text in UTF-8",
    "model_type": "must be a JSON object",
    "bool_type": "must be true or false",
    "list_type": "must be a list of lines",
    "too_short": "must have at least one line",
    "too_long": f"must have at most {MOST_LINES} lines",
}
WITHOUT_VALUE = {"missing", "json_invalid", "nul", "twice", "too_long"}


class InvalidInput(Exception):
    """The input is invalid. `errors` holds a {"member", "message"} for each of the first MOST_NAMED errors.

    The "member" is a member of a JSON object, a column, a header, "body" or "row". `more` counts the other errors.
    """

    def __init__(self, errors: list[dict[str, str]], more: int = 0) -> None:
        self.errors = errors
        messages = [f"{error['member']} {error['message']}" for error in errors]
        super().__init__("; ".join([*messages, f"and {more} more"] if more else messages))


def invalid(member: str, message: str) -> InvalidInput:
    return InvalidInput([{"member": member, "message": message}])


@contextmanager
def invalid_members() -> Iterator[None]:
    """Translate pydantic's ValidationError to InvalidInput."""
    try:
        yield
    except ValidationError as error:
        named = [describe(detail) for detail in error.errors(include_url=False)[:MOST_NAMED]]
        raise InvalidInput(named, more=error.error_count() - len(named)) from None


def describe(error: ErrorDetails) -> dict[str, str]:
    member = ".".join(map(str, error["loc"])) or "body"
    message = REASONS.get(error["type"], error["msg"])
    if error["type"] not in WITHOUT_VALUE:
        message += f", not {shorten(error['input'])}"
    return {"member": member, "message": message}


def shorten(value: object) -> str:
    """Return the value's repr. If it is longer than LONGEST_SHOWN characters, cut it and append "…"."""
    shown = repr(value)
    return shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "…"
