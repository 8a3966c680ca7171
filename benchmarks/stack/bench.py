"""What the rows are measured with."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from benchmarks import generator, shop, views
from benchmarks.pgbench import Measured, Reference, reference
from benchmarks.stack import Stack, throw_away
from benchmarks.traffic import Figures, Traffic

CLIENTS_OF_PGBENCH = 8


@dataclass(frozen=True)
class Options:
    rounds: int = 5
    seconds: int = 2
    full: bool = False


@dataclass
class Bench:
    """A stack with a relay, the service as it comes on `port`, and the reference where a row asks for it."""

    stack: Stack
    port: int
    options: Options
    ending: ExitStack
    peaks: list[float] = field(default_factory=list)
    """Allocations a second over all SKUs, where a row has measured them."""

    @cached_property
    def reference(self) -> Reference:
        return self.ending.enter_context(reference(self.stack))

    def send(self, traffic: Traffic, port: int | None = None, clients: int = generator.CLIENTS) -> Figures:
        """To the service, or to another app. All is done with what was sent before."""
        views.settle(self.stack)
        return generator.send(port or self.port, traffic, self.options.seconds, clients)

    def send_at(self, rate: float, traffic: Traffic, port: int | None = None) -> Figures:
        views.settle(self.stack)
        return generator.send_at(rate, port or self.port, traffic, self.options.seconds)

    def pgbench(self, name: str, clients: int = CLIENTS_OF_PGBENCH) -> Measured:
        reference = self.reference
        views.settle(self.stack)
        return reference.measure(name, clients, self.options.seconds)


@contextmanager
def bench(options: Options, orders: int = shop.ORDERS) -> Iterator[Bench]:
    with throw_away() as stack, stack.running("relay"), ExitStack() as ending:
        shop.stock(stack.engine)
        shop.orders(stack.engine, orders)
        port = ending.enter_context(stack.serving_as_configured())
        views.wait_for(stack)
        yield Bench(stack, port, options, ending)
