"""The use cases. If another transaction has changed the product, the use case starts again."""

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random

from benchmarks.peers.book.model import Batch, OrderLine, Product, UnknownSku
from benchmarks.peers.book.unit_of_work import UnitOfWork

ATTEMPTS = 200
LONGEST_PAUSE = 0.1
CONFLICTS = ("40001", "40P01")
"""The codes of a serialisation failure and a deadlock."""


def is_conflict(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and getattr(error.orig, "pgcode", None) in CONFLICTS


retry_conflicts = retry(
    retry=retry_if_exception(is_conflict),
    wait=wait_random(0, LONGEST_PAUSE),
    stop=stop_after_attempt(ATTEMPTS),
    reraise=True,
)


@retry_conflicts
def add_batch(batch: Batch, sessions: sessionmaker[Session]) -> None:
    with UnitOfWork(sessions) as uow:
        product = uow.products.get(batch.sku)
        if product is None:
            product = Product(batch.sku)
            uow.products.add(product)
        product.batches.append(batch)
        uow.commit()


@retry_conflicts
def allocate(orderid: str, sku: str, qty: int, sessions: sessionmaker[Session]) -> str:
    """Return the reference of the line's batch after the commit. Raises UnknownSku and OutOfStock."""
    with UnitOfWork(sessions) as uow:
        product = uow.products.get(sku)
        if product is None:
            raise UnknownSku(sku)
        ref = product.allocate(OrderLine(orderid, sku, qty))
        uow.commit()
        return ref
