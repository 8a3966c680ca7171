from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class CreateBatch:
    ref: str
    sku: str
    qty: int
    eta: date | None = None


@dataclass(frozen=True, slots=True)
class Allocate:
    orderid: str
    sku: str
    qty: int


Command = CreateBatch | Allocate
