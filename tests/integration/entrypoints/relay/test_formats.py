"""The format in which a relay rebuilds lost views."""

import pytest

from allocation.entrypoints.relay.formats import format_to_build
from readmodel.store.formats import FORMAT_1, Format
from readmodel.store.generations import Generations
from readmodel.store.store import Store
from tests.support.readmodel.generations import announce_generation

WANTED = Format(2, kept=50)


@pytest.mark.parametrize(
    ("live", "wanted", "built"),
    [
        ("g1", WANTED, FORMAT_1),
        ("g1.2.100", WANTED, WANTED),
        ("g1.2.100", Format(3, kept=50), WANTED),
        ("g1.2", Format(1), Format(1)),
    ],
)
def test_the_relay_keeps_an_older_format(store: Store, live: str, wanted: Format, built: Format) -> None:
    """Processes of the older release may still read the views. They do not know the newer format."""
    announce_generation(store, Generations(), live)
    assert format_to_build(store, wanted) == built


@pytest.mark.parametrize("stored", [None, "nonsense"])
def test_the_relay_builds_the_wanted_format_without_views(store: Store, stored: str | None) -> None:
    if stored is not None:
        store.redis.set(store.names.generations, stored)
    assert format_to_build(store, WANTED) == WANTED
