from collections.abc import Sequence
from dataclasses import dataclass

from allocation.domain.model import OrderLine


class Refusal(Exception):
    """The rules do not allow the command. The command changed nothing."""


@dataclass(eq=False)
class UnknownSku(Refusal):
    sku: str

    def __str__(self) -> str:
        return f"Invalid sku {self.sku}"


@dataclass(eq=False)
class UnknownLine(Refusal):
    orderid: str
    sku: str

    def __str__(self) -> str:
        return f"Order {self.orderid} has no line of {self.sku}"


@dataclass(eq=False)
class UnknownOrder(Refusal):
    orderid: str

    def __str__(self) -> str:
        return f"There is no order {self.orderid}"


@dataclass(eq=False)
class UnknownBatch(Refusal):
    ref: str

    def __str__(self) -> str:
        return f"There is no batch {self.ref}"


@dataclass(eq=False)
class LineConflict(Refusal):
    orderid: str
    sku: str
    qty: int
    existing_qty: int

    def __str__(self) -> str:
        line = f"Order {self.orderid}'s line of {self.sku}"
        return f"{line} already exists with quantity {self.existing_qty}, not {self.qty}"


@dataclass(eq=False)
class BatchConflict(Refusal):
    ref: str

    def __str__(self) -> str:
        return f"Batch {self.ref} already exists with a different sku, qty or eta"


@dataclass(eq=False)
class LineShipped(Refusal):
    orderid: str
    sku: str

    def __str__(self) -> str:
        return f"Order {self.orderid}'s line of {self.sku} has been shipped"


@dataclass(eq=False)
class LineDeallocated(Refusal):
    orderid: str
    sku: str

    def __str__(self) -> str:
        return f"Order {self.orderid}'s line of {self.sku} has been deallocated. Allocate it again instead"


@dataclass(eq=False)
class LineNotAllocated(Refusal):
    orderid: str
    sku: str
    status: str

    def __str__(self) -> str:
        return f"Order {self.orderid}'s line of {self.sku} can't be shipped: it is {self.status}, not allocated"


@dataclass(eq=False)
class OrderShipped(Refusal):
    orderid: str
    skus: Sequence[str]

    def __str__(self) -> str:
        return f"Order {self.orderid} can't be cancelled: its lines of {', '.join(self.skus)} have been shipped"


@dataclass(eq=False)
class BatchShipped(Refusal):
    ref: str
    qty: int
    shipped: int

    def __str__(self) -> str:
        return f"Batch {self.ref} can't shrink to {self.qty}: {self.shipped} of its units have been shipped"


@dataclass(frozen=True, slots=True)
class ShortLine:
    """A line that can't get a batch, with the reason."""

    order_line: OrderLine
    reason: str

    def __str__(self) -> str:
        return f"{self.order_line.qty} of {self.order_line.sku}: {self.reason}"


@dataclass(eq=False)
class OrderShort(Refusal):
    orderid: str
    lines: Sequence[ShortLine]

    def __str__(self) -> str:
        return f"Order {self.orderid} can't be allocated as a whole: {'; '.join(map(str, self.lines))}"
