"""The schema of each command, and the command name that clients use."""

import re
from collections import Counter
from collections.abc import Mapping
from json import JSONDecoder
from typing import Annotated, Any, NamedTuple, TypeVar

import orjson
from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, StrictBool
from pydantic_core import PydanticCustomError

from allocation.adapters.schemas.errors import LONGEST_SHOWN, invalid, invalid_members
from allocation.adapters.schemas.fields import (
    MOST_LINES,
    BatchQuantity,
    Eta,
    Identifier,
    OrderId,
    Quantity,
    Ref,
    Sku,
)
from allocation.domain import commands


class Schema(BaseModel):
    model_config = ConfigDict(extra="ignore")


class AddBatch(Schema):
    ref: Ref
    sku: Sku
    qty: Quantity
    eta: Eta = None


def has_two_names(schema: dict[str, Any]) -> None:
    """Describe the member `batchref`: it counts if there is no `ref`. pydantic does not describe it."""
    name = {key: value for key, value in schema["properties"]["ref"].items() if key != "examples"}
    schema["properties"]["batchref"] = {"description": "another name of `ref`, which counts if there is no `ref`"}
    schema["required"].remove("ref")
    schema["anyOf"] = [{"required": ["ref"]}, {"required": ["batchref"], "properties": {"batchref": name}}]


class ChangeBatchQuantity(Schema):
    model_config = ConfigDict(json_schema_extra=has_two_names)

    ref: Ref = Field(validation_alias=AliasChoices("ref", "batchref"))
    qty: BatchQuantity


class ChangeBatchEta(Schema):
    ref: Ref
    eta: Eta


class LineId(Schema):
    """The order line that a command names."""

    orderid: OrderId
    sku: Sku


class LineQuantity(LineId):
    qty: Quantity


class LineOfOrder(Schema):
    sku: Sku
    qty: Quantity


def each_sku_once(lines: list[LineOfOrder]) -> tuple[tuple[str, int], ...]:
    twice = [sku for sku, times in Counter(line.sku for line in lines).items() if times > 1]
    if twice:
        raise PydanticCustomError("twice", "must have each sku once: {sku} occurs twice", {"sku": repr(twice[0])})
    return tuple((line.sku, line.qty) for line in lines)


class AllocateOrder(Schema):
    orderid: OrderId
    lines: Annotated[list[LineOfOrder], Field(min_length=1, max_length=MOST_LINES), AfterValidator(each_sku_once)]
    all_or_nothing: StrictBool = False


class CancelOrder(Schema):
    orderid: OrderId


class Envelope(Schema):
    """The additional members of a command in a bulk: its command name, and perhaps an idempotency key."""

    type: Any = None
    id: Identifier | None = None


class Message(Schema):
    """The additional member of a command in a message of Redis."""

    correlation_id: Any = None


class CommandSchema(NamedTuple):
    """`stored_name` never changes: it is part of the fingerprint of each stored idempotency key."""

    schema: type[Schema]
    command: type[commands.Command]
    stored_name: str

    def from_json(self, body: bytes) -> commands.Command:
        """Return the command in a JSON object. Raise InvalidInput if a member is missing, wrong or repeated."""
        found = parse(self.schema, body)
        require_unique_members(body)
        return self.command(**vars(found))

    def from_row(self, row: Mapping[str, str]) -> commands.Command:
        """Return the command in a CSV row. Raise InvalidInput if a member is missing or wrong."""
        return self.command(**vars(parse_row(self.schema, row)))


COMMANDS: dict[str, CommandSchema] = {
    "add_batch": CommandSchema(AddBatch, commands.CreateBatch, "CreateBatch"),
    "change_batch_quantity": CommandSchema(ChangeBatchQuantity, commands.ChangeBatchQuantity, "ChangeBatchQuantity"),
    "change_batch_eta": CommandSchema(ChangeBatchEta, commands.ChangeBatchEta, "ChangeBatchEta"),
    "allocate": CommandSchema(LineQuantity, commands.Allocate, "Allocate"),
    "deallocate": CommandSchema(LineId, commands.Deallocate, "Deallocate"),
    "change_line_quantity": CommandSchema(LineQuantity, commands.ChangeLineQuantity, "ChangeLineQuantity"),
    "ship": CommandSchema(LineId, commands.Ship, "Ship"),
    "allocate_order": CommandSchema(AllocateOrder, commands.AllocateOrder, "AllocateOrder"),
    "cancel_order": CommandSchema(CancelOrder, commands.CancelOrder, "CancelOrder"),
}
"""HTTP routes, previews and bulk lines derive their names from this table. The consumer and loads use its entries."""

STORED_NAMES = {entry.command: entry.stored_name for entry in COMMANDS.values()}

AnySchema = TypeVar("AnySchema", bound=Schema)


def parse(schema: type[AnySchema], body: bytes) -> AnySchema:
    """Parse a JSON object. Raise InvalidInput if a member is missing or wrong."""
    with invalid_members():
        return schema.model_validate_json(body)


SEARCHED = 10_000
"""The largest body in which the service searches for the name of a repeated member. A search holds up other threads."""


def require_unique_members(body: bytes) -> None:
    """Raise InvalidInput if an object in this valid JSON has a member twice. Programs disagree which one counts.

    A parsed object has a repeated member only once. So it then has fewer members than the body.
    """
    try:
        is_unique = count_members(body) == count_members(orjson.dumps(orjson.loads(body)))
    except orjson.JSONDecodeError:  # For example, an ignored member is 1e999.
        is_unique = False
    if is_unique:
        return
    if len(body) > SEARCHED:
        raise invalid("body", "must have each member once, and no number that is too large for a double")
    DECODER.decode(body.decode())


def count_members(json: bytes) -> int:
    """Return the number of colons outside of strings."""
    outside = json.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2]
    return b"".join(outside).count(b":")


def unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        [(name, _), *_] = Counter(name for name, _ in pairs).most_common(1)
        raise invalid(name[:LONGEST_SHOWN], "occurs more than once")
    return members


DECODER = JSONDecoder(object_pairs_hook=unique_members, parse_int=str, parse_float=str)
"""It keeps numbers as text, because Python refuses to parse very long ones."""


def parse_row(schema: type[AnySchema], row: Mapping[str, str]) -> AnySchema:
    """Parse a CSV row. An empty field is a missing member. Raise InvalidInput if a member is missing or wrong."""
    values = {name: as_number(text) if name == "qty" else text for name, text in row.items() if text}
    with invalid_members():
        return schema.model_validate(values)


def as_number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?\d{1,19}", text, re.ASCII) else text
