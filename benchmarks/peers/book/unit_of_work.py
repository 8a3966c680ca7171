"""A unit of work is a session. The repository loads a product with its batches and their lines."""

from types import TracebackType
from typing import Self

from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import Session, sessionmaker

from benchmarks.peers.book import orm as orm  # It maps the classes.
from benchmarks.peers.book.model import Product


def create_sessions(database_url: str, connections: int) -> sessionmaker[Session]:
    """Return the factory of sessions. It opens its first connection on its first use."""
    url = make_url(database_url).set(drivername="postgresql+psycopg2")
    engine = create_engine(url, isolation_level="REPEATABLE READ", pool_size=connections, max_overflow=0)
    return sessionmaker(engine, expire_on_commit=False)


class Products:
    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, sku: str) -> Product | None:
        return self._session.get(Product, sku)

    def add(self, product: Product) -> None:
        self._session.add(product)


class UnitOfWork:
    """Without a commit, the end of the block rolls the changes back."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def __enter__(self) -> Self:
        self._session = self._sessions()
        self.products = Products(self._session)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._session.close()

    def commit(self) -> None:
        self._session.commit()
