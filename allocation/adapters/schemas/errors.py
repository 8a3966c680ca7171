"""What is said of a command that does not have its shape."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from allocation.adapters.schemas.fields import LONGEST_IDENTIFIER, MOST_LINES

MOST_NAMED = 20
SHOWN = 80

TEXT = f"must be a text of 1 to {LONGEST_IDENTIFIER} characters"
REASONS = {
    "missing": "is missing",
    "string_type": TEXT,
    "string_too_short": TEXT,
    "string_too_long": TEXT,
    "string_unicode": "must be text in UTF-8",
    "model_type": "must be a JSON object",
    "bool_type": "must be true or false",
    "list_type": "must be a list of lines",
    "too_short": "must have at least one line",
    "too_long": f"must have at most {MOST_LINES} lines",
}
WITHOUT_VALUE = {"missing", "json_invalid", "nul", "twice", "too_long"}


class BadCommand(Exception):
    """Members that are missing or wrong: `errors` has a {"member", "message"} for each of the first ones."""

    def __init__(self, errors: list[dict[str, str]], more: int = 0) -> None:
        self.errors = errors
        told = [f"{error['member']} {error['message']}" for error in errors]
        super().__init__("; ".join([*told, f"and {more} more"] if more else told))


@contextmanager
def bad_members_named() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        named = [described(one) for one in error.errors(include_url=False)[:MOST_NAMED]]
        raise BadCommand(named, more=error.error_count() - len(named)) from None


def described(error: ErrorDetails) -> dict[str, str]:
    member = ".".join(map(str, error["loc"])) or "body"
    reason = REASONS.get(error["type"], error["msg"])
    if error["type"] not in WITHOUT_VALUE:
        reason += f", not {shortened(error['input'])}"
    return {"member": member, "message": reason}


def shortened(value: object) -> str:
    """The value as it is shown to who sent it."""
    shown = repr(value)
    return shown if len(shown) <= SHOWN else shown[:SHOWN] + "…"
