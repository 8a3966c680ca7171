"""A service whose orders grow."""

import subprocess
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.processes import run_to_end
from tests.support.redis_failures.orders import GrowingOrders
from tests.support.redis_failures.readers import Readers, reading
from tests.support.services import web

EARLY = [f"o{number}" for number in range(20)]
LATE = [f"o{number}" for number in range(10, 30)]
"""Order ids. LATE has new orders, and orders of EARLY."""


@dataclass(frozen=True)
class Service:
    """A relay, and a web process that serves commands and queries at `port`."""

    environment: dict[str, str]
    relay: "subprocess.Popen[str]"
    port: int
    api: Api
    orders: GrowingOrders = field(default_factory=GrowingOrders)

    def grow(self, orderids: list[str]) -> None:
        """Place each order, or add a unit to it. The service must accept that."""
        self.orders.grow(self.api, orderids)

    def settle(self, port: int | None = None) -> None:
        """Wait until every query at the port shows the last state, without a flag."""
        eventually(lambda: self.orders.are_shown(port or self.port))

    def reading(self, port: int | None = None) -> AbstractContextManager[Readers]:
        """Query the orders at the port while the block runs. Fail if an answer was wrong."""
        return reading(port or self.port, self.orders)

    def query_worker(self, redis_url: str) -> AbstractContextManager[int]:
        """Run a process that answers queries from this server. Yield its port."""
        return web(self.environment | {"REDIS_URL": redis_url}, "queries")

    def verify(self) -> None:
        """Require that the views match the database."""
        assert run_to_end("verify", self.environment) == (0, "The views match the database\n")
