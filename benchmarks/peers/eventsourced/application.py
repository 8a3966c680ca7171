"""The use cases. If another command has changed the aggregate, the use case starts again."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import IntegrityError, JSONTranscoder, Transcoding
from eventsourcing.utils import retry
from sqlalchemy import make_url

from benchmarks.peers.eventsourced.product import Lines, Product

ATTEMPTS = 200
PAUSE = 0.02
"""In seconds, between two attempts. The library varies it by a twentieth."""


class LinesAsDict(Transcoding):
    """Lines in a snapshot."""

    type = Lines
    name = "lines"

    def encode(self, obj: Lines) -> dict[str, str]:
        return obj.batches

    def decode(self, data: dict[str, str]) -> Lines:
        return Lines(data)


class Warehouse(Application[UUID]):
    snapshotting_intervals: ClassVar[dict[Any, int]] = {Product: 500}

    def register_transcodings(self, transcoder: JSONTranscoder) -> None:
        super().register_transcodings(transcoder)
        transcoder.register(LinesAsDict())

    def add_product(self, sku: str, batches: Mapping[str, int]) -> None:
        """Create the SKU with batches of these quantities in the warehouse. Raises IntegrityError if it exists."""
        product = Product(sku)
        for ref, qty in batches.items():
            product.add_batch(ref, qty)
        self.save(product)

    @retry(IntegrityError, max_attempts=ATTEMPTS, wait=PAUSE)
    def allocate(self, orderid: str, sku: str, qty: int) -> str:
        """Return the reference of the line's batch after the commit. Raises AggregateNotFoundError and OutOfStock."""
        product: Product = self.repository.get(Product.create_id(sku))
        ref = product.allocate(orderid, qty)
        self.save(product)
        return ref


def create_application(database_url: str, connections: int, **variables: str) -> Warehouse:
    """Return the application. It creates its tables.

    `variables` replace or add settings of the library. The environment can only add some.
    """
    url = make_url(database_url)
    settings: dict[str, Any] = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": url.database,
        "POSTGRES_HOST": url.host,
        "POSTGRES_PORT": str(url.port),
        "POSTGRES_USER": url.username,
        "POSTGRES_PASSWORD": url.password or "",
        "POSTGRES_POOL_SIZE": str(connections),
        "POSTGRES_MAX_OVERFLOW": "0",
        "AGGREGATE_CACHE_MAXSIZE": "10000",
    }
    return Warehouse(settings | variables)
