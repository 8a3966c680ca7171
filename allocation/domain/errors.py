from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class Refusal(Exception):
    """A command that the rules do not allow. Nothing has changed."""


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
        return f"Order {self.orderid} has a line of {self.existing_qty} {self.sku} already, not of {self.qty}"


@dataclass(eq=False)
class BatchConflict(Refusal):
    ref: str

    def __str__(self) -> str:
        return f"Batch {self.ref} was already created with another sku, qty or eta"


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
        return f"Order {self.orderid}'s line of {self.sku} was deallocated: it has to be allocated anew"


@dataclass(eq=False)
class LineNotAllocated(Refusal):
    orderid: str
    sku: str
    status: str

    def __str__(self) -> str:
        return f"Order {self.orderid}'s line of {self.sku} is {self.status}, not allocated: it can't be shipped"


@dataclass(eq=False)
class OrderShipped(Refusal):
    orderid: str
    skus: Sequence[str]

    def __str__(self) -> str:
        return f"Order {self.orderid} can't be cancelled: shipped are its lines of {', '.join(self.skus)}"


@dataclass(eq=False)
class BatchShipped(Refusal):
    ref: str
    qty: int
    shipped: int

    def __str__(self) -> str:
        return f"Batch {self.ref} can't be cut to {self.qty}: {self.shipped} units of it have been shipped"


@dataclass(eq=False)
class OrderShort(Refusal):
    """`lines` are those that could not have a batch: each its `sku`, `qty`, and in `message` why."""

    orderid: str
    lines: Sequence[Mapping[str, str | int]]

    def __str__(self) -> str:
        reasons = "; ".join(f"{line['qty']} of {line['sku']}: {line['message']}" for line in self.lines)
        return f"Order {self.orderid} can't be allocated as a whole: {reasons}"
