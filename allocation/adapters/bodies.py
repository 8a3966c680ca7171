"""The shape of each command from outside, and what is said of one that does not have it."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from allocation.domain import commands

LARGEST_QTY = 2_147_483_647
LONGEST_IDENTIFIER = 255
MOST_LINES = 1_000
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


def without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "must not contain a NUL character")
    return text


def as_date(value: Any) -> date | None:
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("eta", "must be a date as YYYY-MM-DD, or null")


def whole_number_from(least: int) -> BeforeValidator:
    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= LARGEST_QTY:
            raise PydanticCustomError("qty", f"must be a whole number from {least} to {LARGEST_QTY}")
        return value

    return BeforeValidator(check)


Identifier = Annotated[
    str, Field(strict=True, min_length=1, max_length=LONGEST_IDENTIFIER), AfterValidator(without_nul)
]
Quantity = Annotated[int, whole_number_from(1)]
QuantityLeft = Annotated[int, whole_number_from(0)]
Eta = Annotated[date | None, BeforeValidator(as_date)]


class Body(BaseModel):
    model_config = ConfigDict(extra="ignore")


class CreateBatch(Body):
    ref: Identifier
    sku: Identifier
    qty: Quantity
    eta: Eta = None


class ChangeBatchQuantity(Body):
    ref: Identifier = Field(validation_alias=AliasChoices("ref", "batchref"))
    qty: QuantityLeft


class ChangeBatchEta(Body):
    ref: Identifier
    eta: Eta


class Allocate(Body):
    orderid: Identifier
    sku: Identifier
    qty: Quantity


class Deallocate(Body):
    orderid: Identifier
    sku: Identifier


class ChangeLineQuantity(Body):
    orderid: Identifier
    sku: Identifier
    qty: Quantity


class Ship(Body):
    orderid: Identifier
    sku: Identifier


class LineOfOrder(Body):
    sku: Identifier
    qty: Quantity


def each_sku_once(lines: list[LineOfOrder]) -> tuple[tuple[str, int], ...]:
    twice = [sku for sku, times in Counter(line.sku for line in lines).items() if times > 1]
    if twice:
        raise PydanticCustomError("twice", "must have each sku once: {sku} is there twice", {"sku": repr(twice[0])})
    return tuple((line.sku, line.qty) for line in lines)


class AllocateOrder(Body):
    orderid: Identifier
    lines: Annotated[list[LineOfOrder], Field(min_length=1, max_length=MOST_LINES), AfterValidator(each_sku_once)]
    all_or_nothing: StrictBool = False


class CancelOrder(Body):
    orderid: Identifier


class Envelope(Body):
    """What a command has besides its own members where commands of several kinds come together."""

    type: Any = None
    id: Identifier | None = None


Shape = TypeVar("Shape", bound=Body)

BODIES: dict[type[Body], type[commands.Command]] = {
    CreateBatch: commands.CreateBatch,
    ChangeBatchQuantity: commands.ChangeBatchQuantity,
    ChangeBatchEta: commands.ChangeBatchEta,
    Allocate: commands.Allocate,
    Deallocate: commands.Deallocate,
    ChangeLineQuantity: commands.ChangeLineQuantity,
    Ship: commands.Ship,
    AllocateOrder: commands.AllocateOrder,
    CancelOrder: commands.CancelOrder,
}


def from_json(shape: type[Body], body: bytes) -> commands.Command:
    """The command that a JSON object describes. Raises BadCommand, which names every wrong member."""
    return command(parsed(shape, body))


def parsed(shape: type[Shape], body: bytes) -> Shape:
    """What a JSON object says. Raises BadCommand, which names every wrong member."""
    with bad_members_named():
        return shape.model_validate_json(body)


def from_text(shape: type[Body], members: Mapping[str, str]) -> commands.Command:
    """The command that a row of text describes. Raises BadCommand, which names every wrong member."""
    return command(checked(shape, members))


def checked(shape: type[Shape], members: Mapping[str, str]) -> Shape:
    """What a row of text says: a quantity in digits; an empty member is one that is not there. Raises BadCommand."""
    values = {name: as_number(text) if name == "qty" else text for name, text in members.items() if text}
    with bad_members_named():
        return shape.model_validate(values)


def command(body: Body) -> commands.Command:
    return BODIES[type(body)](**dict(body))


def as_number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?\d{1,19}", text, re.ASCII) else text


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
