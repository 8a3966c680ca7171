"""The Redis Function reports changes of the members that readers cache, and of no others."""

import pytest

from readmodel.store import functions, keys
from readmodel.store.connection import ThreadConnection
from readmodel.store.functions import APPLIED, CACHED_MEMBER_CHANGED, apply_command
from readmodel.store.registers import Register, State, encode
from readmodel.store.store import Store
from tests.support.readmodel.generations import LOG

KEY = keys.view_key("note", "n1")
RED = {"size": 1, "colour": "red"}
LARGE_RED = {"size": 2, "colour": "red"}
BLUE = {"size": 1, "colour": "blue"}


def apply(store: Store, field: str, version: int, state: State) -> int:
    """Return the reply of the Redis Function."""
    register = Register(KEY, field, version, encode(version, state))
    command = apply_command(store.names, "g1", keys.bucket_of(KEY), [register], LOG)
    [reply] = ThreadConnection(store.redis).send([command])
    return int(reply)


def test_a_changed_cached_member_is_reported(store: Store, live: str) -> None:
    functions.load_functions(store.redis, store.names, {"note": "colour"})
    assert apply(store, "note", 1, RED) == APPLIED, "readers cannot have cached a missing register"
    assert apply(store, "note", 2, BLUE) == CACHED_MEMBER_CHANGED
    assert apply(store, "note", 3, BLUE) == APPLIED, "the new version has the same colour"


@pytest.mark.parametrize(
    ("cached_members", "field", "state"),
    [
        ({"note": "colour"}, "note", LARGE_RED),
        ({"note": "colour"}, "other", BLUE),
        ({"note": "size"}, "note", BLUE),
        ({}, "note", BLUE),
        ({}, "state", {"eta": "2027-01-01"}),
    ],
    ids=["another-member", "another-field", "another-cached-member", "no-cached-members", "no-default-members"],
)
def test_no_other_change_is_reported(
    store: Store, live: str, cached_members: dict[str, str], field: str, state: State
) -> None:
    functions.load_functions(store.redis, store.names, cached_members)
    assert apply(store, field, 1, RED | {"eta": None}) == APPLIED
    assert apply(store, field, 2, {"eta": None} | state) == APPLIED


def test_an_older_version_is_not_reported(store: Store, live: str) -> None:
    functions.load_functions(store.redis, store.names, {"note": "colour"})
    assert apply(store, "note", 2, RED) == APPLIED
    assert apply(store, "note", 1, BLUE) == APPLIED


def test_the_report_covers_all_registers_of_a_call(store: Store, live: str) -> None:
    functions.load_functions(store.redis, store.names, {"note": "colour"})
    assert apply(store, "note", 1, RED) == APPLIED
    registers = [
        Register(KEY, "note", 2, encode(2, BLUE)),
        Register(KEY, "other", 2, encode(2, BLUE)),
    ]
    command = apply_command(store.names, "g1", keys.bucket_of(KEY), registers, LOG)
    assert ThreadConnection(store.redis).send([command]) == [CACHED_MEMBER_CHANGED]
