"""The jobs that the service and its peers do over HTTP, and the rows of the table."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.load_generator.generator import CLIENTS, try_to_send
from benchmarks.load_generator.traffic import WrongAnswers
from benchmarks.peers.contenders import Contender, Stock
from benchmarks.report.table import Row
from benchmarks.rounds import alternate
from benchmarks.stack import shop
from benchmarks.stack.bench import Options

HOT = "hot-{number}"
POLL = 0.3


@dataclass
class Running:
    """A contender, and the port of its web server. `wait` returns when its processes are idle."""

    contender: Contender
    port: int
    wait: Callable[[], None]
    failed: dict[str, int] = field(default_factory=dict)
    """Maps each job to its number of failed answers."""
    hot_rounds: int = 0

    def allocate(self, name: str, job: str, seconds: int) -> float:
        """Allocate as fast as possible on the SKU of that name, or on all SKUs. Raises WrongAnswers.

        Return the number of stored allocations a second. The load generator does not wait for its last answers, so
        only the answered allocations count. The database must have a new row for each of them.
        """
        self.wait()
        before = self.contender.count_stored()
        figures = try_to_send(self.port, shop.allocations(name), seconds)
        stored = self._count_when_idle() - before
        if not figures.right <= stored <= figures.right + figures.wrong + CLIENTS:
            raise WrongAnswers(f"{self.contender.name}: {figures.right} lines were answered, {stored} are stored")
        self.failed[job] = self.failed.get(job, 0) + figures.wrong
        return figures.rate

    def allocate_on_next_hot_sku(self, job: str, seconds: int) -> float:
        """Use a new SKU in each round: a peer slows down with the number of lines that a SKU already has."""
        self.hot_rounds += 1
        return self.allocate(HOT.format(number=self.hot_rounds), job, seconds)

    def _count_when_idle(self) -> int:
        """Return the number of stored lines when it no longer grows."""
        count, last = self.contender.count_stored(), -1
        while count != last:
            time.sleep(POLL)
            count, last = self.contender.count_stored(), count
        return count


def stock(options: Options) -> Stock:
    """Return the same stock as the other benchmarks use: one batch per SKU, too large to run out."""
    hot = [HOT.format(number=number + 1) for number in range(options.rounds + 1)]
    names = [*map(str, range(shop.SKUS)), *hot]
    return {shop.SKU.format(name=name): {shop.REF.format(name=name): shop.UNITS} for name in names}


def measure_rows(service: Running, peers: Sequence[Running], options: Options) -> list[Row]:
    """Return a row for each job and peer. In each round, the contenders work in turn."""
    rows, seconds = list[Row](), options.seconds
    jobs: dict[str, Callable[[Running, str], float]] = {
        f"{shop.SKUS:,} SKUs": lambda one, job: one.allocate(shop.ANY, job, seconds),
        "one hot SKU": lambda one, job: one.allocate_on_next_hot_sku(job, seconds),
    }
    for job, measure in jobs.items():
        found = alternate(options.rounds, {one.contender.name: partial(measure, one, job) for one in (service, *peers)})
        rows += [
            Row(
                f"{peer.contender.name}, `POST /allocate`, {job}, {CLIENTS} clients",
                "stored/s",
                found[peer.contender.name],
                service.contender.name,
                found[service.contender.name],
            )
            for peer in peers
        ]
    return rows
