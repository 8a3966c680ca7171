"""A query with a consistency token waits until the views show the write."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import Any

import pytest

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain import commands
from allocation.domain.commands import Allocate, ChangeBatchEta, CreateBatch
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import rebuild
from readmodel.store.connection import RedisCommand
from readmodel.store.reads import reader
from readmodel.store.reads.consistency import NotYet, OtherHistory
from readmodel.store.reads.reading import Finished, Trip, complete, step
from readmodel.store.store import Store
from tests.support.patience import PATIENCE
from tests.support.readmodel.rebuilds import follow_to_the_end
from tests.support.readmodel.tokens import (
    ALLOCATIONS,
    LISTS,
    ORDER,
    OTHER,
    PRODUCT,
    VIEWS,
    Fetch,
    apply_all,
    impatient,
    position_of,
    read,
    token_after,
    token_of,
)


@contextmanager
def soon(work: Callable[[], object]) -> Iterator[None]:
    """Do the work in another thread, after the reader has begun to wait."""
    thread = threading.Timer(0.1, work)
    thread.start()
    yield
    thread.join()


@pytest.mark.parametrize("fetch", (VIEWS | LISTS).values(), ids=VIEWS | LISTS)
def test_a_query_does_not_answer_without_the_write(fetch: Fetch, shop: MessageBus, model: Store) -> None:
    token = token_after(shop, Allocate("o1", "S", 1))
    with pytest.raises(NotYet):
        read(impatient(model), token, fetch)


def test_a_query_of_other_views_does_not_wait(shop: MessageBus, model: Store) -> None:
    assert read(impatient(model), token_after(shop, Allocate("o1", "S", 1)), OTHER) is None


@pytest.mark.parametrize("fetch", (VIEWS | LISTS).values(), ids=VIEWS | LISTS)
def test_a_query_waits_for_the_relay(fetch: Fetch, shop: MessageBus, model: Store, log: EventLog) -> None:
    token = token_after(shop, Allocate("o1", "S", 1))
    with soon(lambda: follow(Store(model.redis), log, PROJECTION)):
        waited = read(Store(model.redis, patience=PATIENCE), token, fetch)
    assert waited == complete(model.reader.read(fetch), model.exchange).value
    assert waited


@pytest.mark.parametrize("fetch", VIEWS.values(), ids=VIEWS)
def test_a_query_sees_the_fast_path_before_the_relay(
    fetch: Fetch, shop: MessageBus, model: Store, log: EventLog
) -> None:
    """The cursors are still below the position of the token."""
    token = token_after(shop, Allocate("o1", "S", 1))
    apply_all(model, log, token)
    assert read(impatient(model), token, fetch)


def test_a_product_with_a_full_batch_waits_for_the_relay(shop: MessageBus, model: Store, log: EventLog) -> None:
    """The register of the batch has moved to a hash that the query does not read."""
    token = token_after(shop, Allocate("o1", "S", 10))
    apply_all(model, log, token)
    with pytest.raises(NotYet):
        read(impatient(model), token, PRODUCT)
    follow_to_the_end(model, log)
    assert [batch["ref"] for batch in read(impatient(model), token, PRODUCT)["batches"]] == ["b2"]


@pytest.mark.parametrize("fetch", LISTS.values(), ids=LISTS)
def test_a_list_waits_for_the_relay_after_the_fast_path(
    fetch: Fetch, shop: MessageBus, model: Store, log: EventLog
) -> None:
    token = token_after(shop, Allocate("o1", "S", 1))
    apply_all(model, log, token)
    with pytest.raises(NotYet):
        read(impatient(model), token, fetch)
    follow_to_the_end(model, log)
    assert read(impatient(model), token, fetch)


def test_newer_totals_do_not_hide_an_older_batch(shop: MessageBus, model: Store, log: EventLog) -> None:
    """The fast path of the first command has failed. That of the second one has updated the totals."""
    token = token_after(shop, commands.ChangeBatchQuantity("b1", 20))
    page, _ = log.read(position_of(model, log))
    first = len(page)
    shop.handle(commands.ChangeBatchQuantity("b2", 30))
    page, _ = log.read(position_of(model, log))
    model.apply(partial(PROJECTION.fold, list(page)[first:]), log.identity())
    with pytest.raises(NotYet):
        read(impatient(model), token, PRODUCT)
    follow_to_the_end(model, log)
    assert read(impatient(model), token, PRODUCT)["batches"][0]["qty"] == 20


def test_a_write_between_the_replies_of_a_trip_is_not_missed(shop: MessageBus, model: Store, log: EventLog) -> None:
    """Redis may execute other commands between those of a trip. The cursor must not be newer than the hash."""
    token = token_after(shop, Allocate("o1", "S", 1))

    def one_by_one(wanted: Sequence[RedisCommand]) -> Trip:
        replies = list[Any]()
        for command in wanted:
            replies += model.exchange([command]).replies
            follow_to_the_end(Store(model.redis), log)
        return model.exchange([])._replace(replies=replies)

    found = complete(impatient(model).reader.read_at_least(token, ALLOCATIONS), one_by_one).value
    assert found == [{"sku": "S", "batchref": "b1"}]


def test_a_new_batch_shows_an_effect_on_every_order_it_helps(shop: MessageBus, model: Store, log: EventLog) -> None:
    shop.handle(Allocate("o1", "S", 15))
    follow_to_the_end(model, log)
    assert read(model, token_after(shop, Allocate("o2", "S", 1)), OTHER) is None
    token = token_after(shop, CreateBatch("b3", "S", 20))
    with pytest.raises(NotYet):
        read(impatient(model), token, ORDER)
    follow_to_the_end(model, log)
    assert read(impatient(model), token, ALLOCATIONS) == [{"sku": "S", "batchref": "b3"}]


def test_a_cached_eta_is_not_used_for_the_token_of_its_change(shop: MessageBus, model: Store, log: EventLog) -> None:
    shop.handle(Allocate("o1", "S", 1))
    follow_to_the_end(model, log)
    readers = [impatient(model), Store(model.redis, patience=PATIENCE)]
    for store in readers:
        assert store.read(ORDER).value["lines"][0]["eta"] == "2027-01-01"
    token = token_after(shop, ChangeBatchEta("b1", date(2029, 9, 9)))
    with pytest.raises(NotYet):
        read(readers[0], token, ORDER)
    with soon(lambda: follow(Store(model.redis), log, PROJECTION)):
        assert read(readers[1], token, ORDER)["lines"][0]["eta"] == "2029-09-09"


def test_a_token_of_another_history_is_refused(shop: MessageBus, model: Store, log: EventLog) -> None:
    token = token_after(shop, Allocate("o1", "S", 1))
    log.adopt([])
    with pytest.raises(NotYet):
        read(impatient(model), token, ORDER)
    later = token_after(shop, Allocate("o2", "S", 1))
    with pytest.raises(NotYet):
        read(impatient(model), later, ORDER)
    rebuild(model, log, PROJECTION)
    assert read(impatient(model), later, ORDER)
    with pytest.raises(OtherHistory):
        read(impatient(model), token, ORDER)


def test_only_some_readings_may_wait(
    shop: MessageBus, model: Store, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MOST_WAITING", 1)
    token = token_after(shop, Allocate("o1", "S", 1))
    store = Store(model.redis, patience=PATIENCE)
    first = store.reader.read_at_least(token, ORDER)
    wanted = next(first)
    while not wanted.delay:
        wanted = first.send(store.exchange(wanted.commands))
    with pytest.raises(NotYet):
        read(store, token, ORDER)
    follow_to_the_end(model, log)
    while not isinstance(found := step(partial(first.send, store.exchange(wanted.commands))), Finished):
        wanted = found
    assert found.result.value
    assert read(store, token, ORDER)


def test_the_fast_path_alone_shows_the_write(shop: MessageBus, projecting_bus: MessageBus, model: Store) -> None:
    [outcome] = projecting_bus.handle_all([Allocate("o1", "S", 1)])
    assert read(impatient(model), token_of(outcome), ORDER)
