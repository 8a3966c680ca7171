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


Command = CreateBatch | ChangeBatchQuantity | ChangeBatchEta | Allocate | Deallocate
