"""Processes of the last release and of this code work on the same stores, in every combination."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import pytest
from sqlalchemy import Engine

from readmodel.store.errors import BUILT_BY_OLDER_RELEASE
from readmodel.store.formats import FORMAT_1, NEWEST, format_of
from readmodel.store.store import Store
from tests.model.oracle import assert_the_state_is_sound, assert_the_views_are_the_state
from tests.support.api import Api
from tests.support.e2e.last_release import Release
from tests.support.e2e.rebuilds import start_rebuild
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.processes import run_to_end, running
from tests.support.services import web

Environment = dict[str, str]


@pytest.fixture
def views_of_last_release(last_release: Release, store: Store, environment: Environment) -> Store:
    """Views that a relay of the last release has built, without a process that runs."""
    with last_release.running("relay", environment):
        eventually(lambda: store.generations().live is not None)
    assert format_of(store.generations().live or "") == FORMAT_1
    return store


@pytest.fixture
def resources() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def api_of(resources: ExitStack, process: AbstractContextManager[int]) -> Api:
    api = Api(resources.enter_context(process))
    resources.callback(api.connection.close)
    return api


def shop(api: Api, name: str) -> str:
    """Add stock and orders, one of which waits. Return the consistency token of the last command."""
    sku = f"SKU of {name}"
    assert api.add_batch(f"{name}-1", sku, 10).status == 201
    assert api.add_batch(f"{name}-2", sku, 20, "2027-01-15").status == 201
    assert api.allocate(f"{name}-a", sku, 8).status == 202
    assert api.allocate(f"{name}-b", sku, 50).status == 202
    assert api.post("ship", {"orderid": f"{name}-a", "sku": sku}).status == 202
    answer = api.allocate(f"{name}-c", sku, 4)
    assert answer.status == 202
    assert [line["batchref"] for line in api.get("orders", f"{name}-c").json["lines"]] == [f"{name}-2"], "the fast path"
    return answer.headers["allocation-token"]


def assert_shows(reader: Api, token: str, name: str) -> None:
    """Assert that the process shows the commands of `shop`, from the moment that the token says."""
    assert [
        (line["qty"], line["status"], line["batchref"])
        for line in reader.get_at_least(token, f"/orders/{name}-c").json["lines"]
    ] == [(4, "allocated", f"{name}-2")]
    answer = reader.get_at_least(token, f"/products/SKU%20of%20{name}").json
    assert (answer["available"], answer["waiting"]) == (18, {"lines": 1, "units": 50})
    assert [batch["ref"] for batch in answer["batches"]] == [f"{name}-1", f"{name}-2"]
    assert reader.get("allocations", f"{name}-b").status == 404
    assert reader.get("batches", f"{name}-1").json["allocated"] == 8


def is_clean(environment: Environment) -> bool:
    code, output = run_to_end("verify", environment)
    assert code == 0, output
    return True


@pytest.mark.slow
@pytest.mark.parametrize("relay_is_old", [True, False], ids=["old-relay", "new-relay"])
def test_both_releases_write_and_read_the_same_views(
    relay_is_old: bool,
    last_release: Release,
    views_of_last_release: Store,
    environment: Environment,
    engine: Engine,
    resources: ExitStack,
) -> None:
    """Each release serves commands and queries. Each must show what the other one has written, and verify it."""
    relay = last_release.running("relay", environment) if relay_is_old else running("relay", environment)
    resources.enter_context(relay)
    old = api_of(resources, last_release.web(environment))
    new = api_of(resources, web(environment))
    tokens = {"old": shop(old, "old"), "new": shop(new, "new")}
    for reader in (old, new):
        for name, token in tokens.items():
            assert_shows(reader, token, name)
    assert format_of(views_of_last_release.generations().live or "") == FORMAT_1
    for path in ("/products", "/orders/new-a/history", "/products/x/waiting", "/products/x/promise?qty=1"):
        answer = new.request("GET", path)
        assert (answer.status, BUILT_BY_OLDER_RELEASE in answer.json["message"]) == (503, True), answer
    assert new.get("health", "ready").json["format"] == BUILT_BY_OLDER_RELEASE
    assert f"Views: {BUILT_BY_OLDER_RELEASE}" in run_to_end("check queries", environment)[1]
    eventually(partial(is_clean, environment))
    with last_release.running("verify", environment) as verification:
        assert verification.wait() == 0
    assert_the_state_is_sound(engine)


@pytest.mark.slow
def test_an_upgrade_under_load_loses_nothing(
    last_release: Release, views_of_last_release: Store, environment: Environment, engine: Engine, resources: ExitStack
) -> None:
    """Both releases execute commands. An operator replaces the relay, and rebuilds the views in the new format.

    One writer of the last release still runs. Its commands appear through the new relay.
    """
    resources.enter_context(running("relay", environment))
    old, new = api_of(resources, last_release.web(environment)), api_of(resources, web(environment))
    counts = {"old": 0, "new": 0}
    with in_threads(allocate_all_the_time(old, "old", counts), allocate_all_the_time(new, "new", counts)):
        with last_release.running("relay", environment):
            eventually(lambda: min(counts.values()) > 50)
        assert start_rebuild(environment).wait() == 0
        reached = dict(counts)
        eventually(lambda: all(counts[name] > reached[name] + 50 for name in counts))
    assert format_of(views_of_last_release.generations().live or "").number == NEWEST
    assert old.get("orders", "old-1").status == 503, "the old release must not read a format that it does not know"
    token = shop_without_views(old)
    assert new.get_at_least(token, "/products/LATE").json["available"] == 5
    assert [event["event"] for event in new.get_at_least(token, "/orders/late/history").json["events"]] == ["Allocated"]
    eventually(partial(is_clean, environment))
    assert_the_views_are_the_state(engine, views_of_last_release)
    assert_the_state_is_sound(engine)


def allocate_all_the_time(api: Api, name: str, counts: dict[str, int]) -> Callable[[threading.Event], None]:
    def allocate(done: threading.Event) -> None:
        assert api.add_batch(f"batch of {name}", f"SKU of {name}", 1_000_000).status == 201
        while not done.is_set():
            counts[name] += 1
            assert api.allocate(f"{name}-{counts[name]}", f"SKU of {name}", 1).status == 202

    return allocate


def shop_without_views(api: Api) -> str:
    """Add stock and an order through a process that can't update the views. Return the token of the last command."""
    assert api.add_batch("late", "LATE", 8).status == 201
    return api.allocate("late", "LATE", 3).headers["allocation-token"]


@pytest.mark.slow
def test_a_relay_of_the_last_release_restores_its_format(
    last_release: Release, views_of_last_release: Store, environment: Environment, engine: Engine, resources: ExitStack
) -> None:
    """An operator returns to the last release. The new processes then serve its format, and do not rebuild."""
    store = views_of_last_release
    resources.enter_context(running("relay", environment))
    new = api_of(resources, web(environment))
    assert start_rebuild(environment).wait() == 0
    token = shop(new, "before")
    assert new.get_at_least(token, "/products?short=1").json["products"][0]["waiting"]["units"] == 50
    with last_release.running("relay", environment):
        eventually(lambda: (live := store.generations().live) is not None and format_of(live) == FORMAT_1)
        old = api_of(resources, last_release.web(environment))
        tokens = {"before": token, "old": shop(old, "old"), "new": shop(new, "new")}
        for reader in (old, new):
            for name, one in tokens.items():
                assert_shows(reader, one, name)
    assert new.get("products").status == 503
    assert run_to_end("repair", environment)[0] == 0, (
        "the last release does not know the other generation, and leaves it"
    )
    assert is_clean(environment)
    assert format_of(store.generations().live or "") == FORMAT_1
    assert start_rebuild(environment).wait() == 0
    assert_the_views_are_the_state(engine, store)
