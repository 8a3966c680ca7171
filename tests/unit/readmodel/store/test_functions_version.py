"""Processes of several releases share a Redis server. So other functions need another name."""

import hashlib
from importlib.resources import files

from readmodel.store.functions import SOURCES
from readmodel.store.names import FUNCTIONS, Names

VERSION, FINGERPRINT = 2, "5d557e6332d551a84f5ad51f3cdef38ea2c2f96a76e3a569b1451a6f5e712f5b"
"""If you change a .lua file after a release, increase FUNCTIONS, and change both values here."""


def test_other_functions_have_another_version() -> None:
    source = "".join(files("readmodel.store").joinpath(name).read_text() for name in SOURCES)
    assert (hashlib.sha256(source.encode()).hexdigest(), FUNCTIONS) == (FINGERPRINT, VERSION)


def test_the_library_has_its_version_in_its_name() -> None:
    assert (Names().library, Names("shop").apply) == ("readmodel_2", "shop_readmodel_2_apply")
