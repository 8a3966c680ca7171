"""The shape of each command from outside."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
)
from pydantic_core import PydanticCustomError

from allocation.adapters.schemas.errors import bad_members_named
from allocation.adapters.schemas.fields import MOST_LINES, Eta, Identifier, Quantity, QuantityLeft
from allocation.domain import commands


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
    return BODIES[type(body)](**vars(body))


def as_number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?\d{1,19}", text, re.ASCII) else text
