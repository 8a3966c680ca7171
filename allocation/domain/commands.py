from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class CreateBatch:
    ref: str
    sku: str
    qty: int
    eta: date | None = None


@dataclass(frozen=True, slots=True)
class ChangeBatchQuantity:
    ref: str
    qty: int


@dataclass(frozen=True, slots=True)
class ChangeBatchEta:
    ref: str
    eta: date | None


@dataclass(frozen=True, slots=True)
class Allocate:
    orderid: str
    sku: str
    qty: int


@dataclass(frozen=True, slots=True)
class Deallocate:
    orderid: str
    sku: str


@dataclass(frozen=True, slots=True)
class ChangeLineQuantity:
    orderid: str
    sku: str
    qty: int


@dataclass(frozen=True, slots=True)
class Ship:
    orderid: str
    sku: str


@dataclass(frozen=True, slots=True)
class AllocateOrder:
    """`lines` are quantities by SKU, in the order in which their outcomes are told."""

    orderid: str
    lines: tuple[tuple[str, int], ...]
    all_or_nothing: bool = False


@dataclass(frozen=True, slots=True)
class CancelOrder:
    orderid: str


Command = (
    CreateBatch
    | ChangeBatchQuantity
    | ChangeBatchEta
    | Allocate
    | Deallocate
    | ChangeLineQuantity
    | Ship
    | AllocateOrder
    | CancelOrder
)
