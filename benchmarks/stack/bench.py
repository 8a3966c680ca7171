"""The stack on which the rows are measured, with stock and orders in it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from benchmarks.load_generator import generator
from benchmarks.load_generator.traffic import Figures, Traffic
from benchmarks.references.pgbench import Measured, Reference, Script, reference
from benchmarks.stack import shop
from benchmarks.stack.throwaway import Stack, throwaway_stack
from benchmarks.stack.views import wait_for_views, wait_until_idle

PGBENCH_CLIENTS = 8


@dataclass(frozen=True)
class Options:
    """`seconds` is the length of a round. With `full`, the real orders are loaded several times."""

    rounds: int = 5
    seconds: int = 2
    full: bool = False


@dataclass
class Bench:
    """A stack with a relay, and the service on `port`. Each measurement starts when the stack is idle."""

    stack: Stack
    port: int
    options: Options
    cleanup: ExitStack
    peak_rates: list[float] = field(default_factory=list)
    """Allocations a second over all SKUs, in each round. Empty until a row has measured them."""

    @cached_property
    def references(self) -> dict[Script, Reference]:
        return {script: self.cleanup.enter_context(reference(self.stack, script)) for script in Script}

    def send(self, traffic: Traffic, port: int | None = None, clients: int = generator.CLIENTS) -> Figures:
        """Send traffic to the service, or to the app on another port. Raises WrongAnswers."""
        wait_until_idle(self.stack)
        return generator.send(port or self.port, traffic, self.options.seconds, clients)

    def send_at(self, rate: float, traffic: Traffic, port: int | None = None) -> Figures:
        """Send `rate` requests a second to the service, or to the app on another port. Raises WrongAnswers."""
        wait_until_idle(self.stack)
        return generator.send_at(rate, port or self.port, traffic, self.options.seconds)

    def pgbench(self, script: Script, name: str, *, skus: int = shop.SKUS, clients: int = PGBENCH_CLIENTS) -> Measured:
        """Run the script for the allocations of that name. Raises WrongAnswers."""
        reference = self.references[script]
        wait_until_idle(self.stack)
        return reference.measure(name, skus, clients, self.options.seconds)

    def pgbench_times_at(self, rate: float, script: Script) -> list[float]:
        """Return the milliseconds of each transaction over all SKUs, at that rate. Raises WrongAnswers."""
        reference = self.references[script]
        wait_until_idle(self.stack)
        return reference.times_at(rate, shop.ANY, shop.SKUS, PGBENCH_CLIENTS, self.options.seconds)


@contextmanager
def prepared_bench(options: Options, orders: int = shop.ORDERS) -> Iterator[Bench]:
    with throwaway_stack() as stack, stack.relay(), ExitStack() as cleanup:
        shop.add_stock(stack.engine)
        shop.add_orders(stack.engine, orders)
        server = cleanup.enter_context(stack.web_server())
        wait_for_views(stack)
        yield Bench(stack, server.port, options, cleanup)
