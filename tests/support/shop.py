from allocation.domain.commands import Command
from allocation.service_layer.messagebus import MessageBus
from tests.support.fakes import FakeStore


class Shop:
    """The real handlers over the fake store."""

    def __init__(self, *commands: Command) -> None:
        self.store = FakeStore()
        self.bus = MessageBus(self.store.begin, lambda events: None)
        self.handle(*commands)

    def handle(self, *commands: Command) -> None:
        for command in commands:
            self.bus.handle(command)

    def lines(self) -> dict[str, tuple[str, str | None]]:
        return {line.orderid: (line.status.value, line.batchref) for line in self.store.lines.values()}

    def line(self, orderid: str, sku: str = "S") -> tuple[int, str, str | None]:
        line = self.store.lines[orderid, sku]
        return line.qty, line.status.value, line.batchref

    def room(self) -> dict[str, int]:
        return {batch.ref: batch.available for batch in self.store.batches.values()}

    def types(self) -> list[str]:
        return [event["type"] for event in self.store.log]
