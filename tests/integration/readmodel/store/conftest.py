from collections.abc import Iterator
from functools import partial

import pytest

from readmodel.store.client import async_redis_client
from readmodel.store.generations import Generations
from readmodel.store.reads.shared_connection import SharedConnection
from readmodel.store.store import Store
from readmodel.web.query_edge import create_query_edge
from readmodel.web.view_checks import check_views
from tests.support.edge_client import EdgeClient
from tests.support.patience import PATIENCE
from tests.support.readmodel.generations import announce_generation


@pytest.fixture
def live(store: Store) -> str:
    """The name of an empty live generation, g1."""
    return announce_generation(store, Generations(), "g1")


@pytest.fixture
def client(model: Store, redis_url: str) -> Iterator[EdgeClient]:
    """A client of the queries, which read the model."""
    store = Store(model.redis)
    connection = SharedConnection(async_redis_client(redis_url, timeout=PATIENCE), store.names, PATIENCE)
    check = partial(check_views, store, suspect_is_ready=True, too_old=300, writes=True)
    client = EdgeClient(create_query_edge(store, connection, 1, check))
    yield client
    client.run(connection.close())
    client.close()
