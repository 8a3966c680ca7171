"""The shapes of the answers to commands. `/openapi.json` describes them, and tests compare every answer with them."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from readmodel.views.answers import Batch, BatchRef, Eta, OrderId, Sku, Status, Units, Why
from readmodel.web.description.operations import Problem

Message = Annotated[str, Field(description="why the service refused the command")]


class OrderLineResult(TypedDict):
    """A line after the command. A line that is refused has a message."""

    sku: Sku
    qty: Units
    status: Annotated[Literal["allocated", "waiting", "shipped", "refused"], Field(examples=["allocated"])]
    batchref: BatchRef
    eta: Eta
    message: NotRequired[Annotated[str, Field(description="why the service refused the line")]]


class OrderResult(TypedDict):
    """The lines of the command, in its order."""

    orderid: OrderId
    lines: list[OrderLineResult]


class PreviewedLine(TypedDict):
    orderid: OrderId
    sku: Sku
    qty: Units
    status: Status
    batchref: BatchRef
    eta: Eta
    lost: Annotated[str | None, Field(description="the batch that the line would lose, or null", examples=[None])]
    why: Why


class Preview(TypedDict):
    """The answer of the command, and the lines and batches that it would touch, in their state after the command."""

    answer: Annotated[Literal["OK"] | OrderResult, Field(examples=["OK"])]
    lines: list[PreviewedLine]
    batches: list[Batch]


class InvalidMember(TypedDict):
    member: Annotated[str, Field(examples=["qty"])]
    message: Annotated[str, Field(examples=["is missing"])]


class BadRequest(Problem):
    """If the body or a header is not valid, `errors` names up to 20 members."""

    errors: NotRequired[list[InvalidMember]]


class ShortLine(TypedDict):
    """A line that can't get a batch."""

    sku: Sku
    qty: Units
    message: Annotated[str, Field(examples=["No batch has 10 left"])]


class Conflict(Problem):
    """If an order can't be allocated as a whole, `lines` names each line that can't get a batch."""

    lines: NotRequired[list[ShortLine]]


class BulkResult(TypedDict):
    """The result of one line of a bulk. `status` is the HTTP status that the command would get alone."""

    id: NotRequired[Annotated[str, Field(description="that of the line", examples=["a1"])]]
    status: Annotated[int, Field(ge=200, le=599, examples=[202])]
    token: NotRequired[Annotated[str, Field(description="the consistency token of the command")]]
    message: NotRequired[Message]
    errors: NotRequired[list[InvalidMember]]
    orderid: NotRequired[str]
    lines: NotRequired[list[OrderLineResult | ShortLine]]
