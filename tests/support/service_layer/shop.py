"""The real message bus and handlers over the fake store, for tests of the domain's rules."""

from allocation.domain.commands import Command
from allocation.service_layer.messagebus import MessageBus
from tests.support.service_layer.fakes import FakeStore


class Shop:
    """A shop in which `commands` have been executed."""

    def __init__(self, *commands: Command) -> None:
        self.store = FakeStore()
        self.bus = MessageBus(self.store.begin, lambda events: None)
        self.handle(*commands)

    def handle(self, *commands: Command) -> None:
        for command in commands:
            self.bus.handle(command)

    def lines(self) -> dict[str, tuple[str, str | None]]:
        """Map each order id to the status and batch of its line. Use `line` if an order has several lines."""
        return {line.orderid: (line.status.value, line.batchref) for line in self.store.lines.values()}

    def line(self, orderid: str, sku: str = "S") -> tuple[int, str, str | None]:
        """Return the quantity, the status and the batch of a line."""
        line = self.store.lines[orderid, sku]
        return line.qty, line.status.value, line.batchref

    def available(self) -> dict[str, int]:
        """Map each batch reference to the available units."""
        return {batch.ref: batch.available for batch in self.store.batches.values()}

    def event_types(self) -> list[str]:
        return [event["type"] for event in self.store.log]
