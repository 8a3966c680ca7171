"""The service and its two peers, each in a database of its own on the same PostgreSQL server."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

from sqlalchemy import Engine

from allocation.adapters.postgres.checks.audit import audit
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.config import load_settings
from allocation.domain.commands import CreateBatch
from benchmarks.peers.book import app as book_app
from benchmarks.peers.book.handlers import add_batch
from benchmarks.peers.book.model import Batch
from benchmarks.peers.book.orm import mapper
from benchmarks.peers.book.unit_of_work import create_sessions
from benchmarks.peers.eventsourced import app as eventsourced_app
from benchmarks.peers.eventsourced.application import create_application
from benchmarks.peers.stored import BOOK, EVENTSOURCED, SERVICE, StoredLine, count_lines, read_lines
from benchmarks.stack import shop, throwaway
from benchmarks.stack.databases import create_database, vacuum
from benchmarks.stack.throwaway import ROOT, Stack

PEERS = ROOT / "benchmarks" / "peers"
PEER_THREADS = 2
"""Both peers are optimistic: with 4, 8 or 16 threads in each worker, they conflict more often and store less."""

Stock = Mapping[str, Mapping[str, int]]
"""Maps each SKU to its batches, with their units."""


@dataclass(frozen=True)
class Contender(ABC):
    name: str
    database_url: str
    engine: Engine

    factory: ClassVar[str]
    code: ClassVar[Path]
    packages: ClassVar[tuple[str, ...]]
    stored: ClassVar[str]
    """The query for the stored lines."""

    @abstractmethod
    def add_stock(self, stock: Stock) -> None:
        """Create the SKUs and their batches, with the contender's own code."""

    def failed_checks(self) -> list[str]:
        """Return the names of the contender's own checks that fail."""
        return []

    def threads(self) -> int:
        """Return the number of threads in each of the two web workers."""
        return PEER_THREADS

    def variables(self) -> dict[str, str]:
        """Return the environment variables of its web server."""
        return {"DATABASE_URL": self.database_url, "ALLOCATION_THREADS": str(self.threads())}

    def count_stored(self) -> int:
        return count_lines(self.engine, self.stored)

    def read_stored(self, prefix: str) -> list[StoredLine]:
        """Return the stored lines of the orders with this prefix."""
        return read_lines(self.engine, self.stored, prefix)

    def versions(self) -> str:
        return ", ".join(f"{name} {version(name)}" for name in self.packages)


class Service(Contender):
    factory = throwaway.SERVICE
    code = ROOT / "allocation"
    packages = ("allocation", "sqlalchemy", "psycopg2-binary")
    stored = SERVICE

    def add_stock(self, stock: Stock) -> None:
        commands = (CreateBatch(ref, sku, qty) for sku, batches in stock.items() for ref, qty in batches.items())
        shop.execute(self.engine, commands)
        vacuum(self.engine)

    def failed_checks(self) -> list[str]:
        return [f"audit: {finding.invariant}" for finding in audit(self.engine) if finding.breaches]

    def threads(self) -> int:
        return load_settings().threads


class Book(Contender):
    factory = book_app.FACTORY
    code = PEERS / "book"
    packages = ("sqlalchemy", "psycopg2-binary", "tenacity")
    stored = BOOK

    def add_stock(self, stock: Stock) -> None:
        mapper.metadata.create_all(self.engine)
        sessions = create_sessions(self.database_url, connections=1)
        for sku, batches in stock.items():
            for ref, qty in batches.items():
                add_batch(Batch(ref, sku, qty), sessions)
        sessions.kw["bind"].dispose()
        vacuum(self.engine)


class Eventsourced(Contender):
    """The library with its default settings. Each transaction locks its table, so its log has the order of commits."""

    factory = eventsourced_app.FACTORY
    code = PEERS / "eventsourced"
    packages = ("eventsourcing", "psycopg")
    stored = EVENTSOURCED

    def add_stock(self, stock: Stock) -> None:
        with create_application(self.database_url, connections=1) as warehouse:
            for sku, batches in stock.items():
                warehouse.add_product(sku, batches)
        vacuum(self.engine)


class EventsourcedInFunctions(Eventsourced):
    """The library with its database functions. They lock nothing, so a position can appear after a higher one."""

    def variables(self) -> dict[str, str]:
        return super().variables() | {"POSTGRES_ENABLE_DB_FUNCTIONS": "y"}


PEER_CLASSES: dict[str, type[Book | Eventsourced]] = {
    "the book's design": Book,
    "`eventsourcing`": Eventsourced,
    "`eventsourcing` with database functions": EventsourcedInFunctions,
}


def create_contenders(stack: Stack) -> list[Contender]:
    """Return the service first. Each peer gets a new database."""
    contenders: list[Contender] = [Service("this service", stack.database_url, stack.engine)]
    for number, (name, peer) in enumerate(PEER_CLASSES.items()):
        url = create_database(stack, f"peer_{number}")
        contenders.append(peer(name, url, create_postgres_engine(url, direct=True)))
    return contenders
