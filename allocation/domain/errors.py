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
