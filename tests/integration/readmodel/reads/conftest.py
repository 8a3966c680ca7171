import pytest

from readmodel.store.generations import Generations
from readmodel.store.store import Store
from tests.support.readmodel.generations import announce_generation


@pytest.fixture
def live(store: Store) -> str:
    """The name of an empty live generation, g1."""
    return announce_generation(store, Generations(), "g1")
