"""The shapes of what queries return. `/openapi.json` describes them, and tests compare every answer with them.

A type of a member has an example. So each shape has an example, too.
"""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

OrderId = Annotated[str, Field(examples=["order-1"])]
Sku = Annotated[str, Field(examples=["RED-CHAIR"])]
Ref = Annotated[str, Field(examples=["ship-1"])]
Units = Annotated[int, Field(ge=0, examples=[10])]
Lines = Annotated[int, Field(ge=0, examples=[1])]
Version = Annotated[int, Field(ge=1, description="the product's version at the last change", examples=[2])]
Eta = Annotated[
    str | None,
    Field(
        description="the date on which the batch arrives, or null if it is in the warehouse",
        examples=["2027-01-15"],
        json_schema_extra={"format": "date"},
    ),
]
BatchRef = Annotated[str | None, Field(description="the batch of the line, or null", examples=["ship-1"])]
Next = Annotated[
    str | None,
    Field(description="the parameter `next` of the following page, or null on the last page", examples=[None]),
]
Status = Annotated[Literal["allocated", "waiting", "deallocated", "shipped"], Field(examples=["allocated"])]


class PassedOver(TypedDict):
    """A batch that had too little stock for a line."""

    ref: Ref
    eta: Eta
    available: Annotated[int, Field(ge=0, description="the stock at that time", examples=[2])]


Why = Annotated[
    list[PassedOver] | None,
    Field(
        description="the batches that had too little stock for the line, the preferred batch first, or null",
        examples=[[{"ref": "wh-1", "eta": None, "available": 2}]],
    ),
]


class Allocation(TypedDict):
    sku: Sku
    batchref: Ref


class Line(TypedDict):
    sku: Sku
    qty: Units
    status: Status
    batchref: BatchRef
    version: Version
    eta: Eta
    why: NotRequired[Why]


class Order(TypedDict):
    """The lines of the order, by SKU. A line has `why` if the query has `explain=1`."""

    orderid: OrderId
    lines: list[Line]


class Orders(TypedDict):
    orders: list[Order]
    unknown: Annotated[list[OrderId], Field(description="the ids of which no order exists", examples=[[]])]


class HistoryEvent(TypedDict):
    at: Annotated[str, Field(examples=["2026-11-26T10:00:00.000+00:00"], json_schema_extra={"format": "date-time"})]
    event: Annotated[str, Field(description="what happened to the line", examples=["Allocated"])]
    sku: Sku
    version: Version
    qty: Units
    batchref: BatchRef
    why: Why
    actor: Annotated[str | None, Field(description="the name of the access token of the command", examples=["shop"])]


class OrderHistory(TypedDict):
    """A page of the events of the order's lines, the oldest event first. The service keeps the latest `kept` events."""

    orderid: OrderId
    events: list[HistoryEvent]
    kept: Annotated[int, Field(ge=1, examples=[100])]
    next: Next


class Waiting(TypedDict):
    """The waiting lines of a product, and their units."""

    lines: Lines
    units: Units


class ProductTotals(TypedDict):
    sku: Sku
    available: Units
    waiting: Waiting
    version: Version


class Products(TypedDict):
    products: list[ProductTotals]
    next: Next


class BatchWithRoom(TypedDict):
    ref: Ref
    qty: Units
    allocated: Units
    eta: Eta
    available: Units


class Product(TypedDict):
    """The totals of a product, and a page of its batches with room, in order of preference."""

    sku: Sku
    available: Units
    waiting: Waiting
    batches: list[BatchWithRoom]
    version: Version
    next: Next


class WaitingLine(TypedDict):
    orderid: OrderId
    qty: Units


class WaitingList(TypedDict):
    """A page of the waiting lines of a product, the oldest line first."""

    sku: Sku
    waiting: Waiting
    lines: list[WaitingLine]
    next: Next


class Promise(TypedDict):
    """What a line would get now. `behind` is null, or counts the lines that would wait before it."""

    sku: Sku
    qty: Units
    status: Literal["allocated", "waiting"]
    batchref: BatchRef
    eta: Eta
    behind: Annotated[Waiting | None, Field(examples=[None])]


class Batch(TypedDict):
    ref: Ref
    sku: Sku
    qty: Units
    allocated: Units
    eta: Eta
    available: Units
