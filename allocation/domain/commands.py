from dataclasses import dataclass
from datetime import date

from allocation.domain.model import OrderLine


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
    """Allocates several lines of one order. `lines` holds pairs of SKU and quantity, and each SKU at most once.

    If `all_or_nothing` is set and a line can't get a batch, the service refuses the whole command.
    """

    orderid: str
    lines: tuple[tuple[str, int], ...]
    all_or_nothing: bool = False

    @property
    def order_lines(self) -> list[OrderLine]:
        return [OrderLine(self.orderid, sku, qty) for sku, qty in self.lines]


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
