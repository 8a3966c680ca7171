"""A query with a consistency token waits until the views show the write."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest

from allocation.adapters.postgres.event_log import EventLog
from allocation.domain import commands
from allocation.domain.commands import Allocate, AllocateOrder, ChangeBatchEta, CreateBatch
from allocation.entrypoints.http.consistency import create_token
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from readmodel.projector.follow import follow
from readmodel.projector.rebuild import rebuild
from readmodel.store.reads import reader
from readmodel.store.reads.consistency import ConsistencyToken, NotYet, OtherHistory
from readmodel.store.reads.reading import Reading, complete
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.store import Store
from readmodel.views import batches, orders, products
from tests.support.adapters.requests import keyed
from tests.support.patience import PATIENCE
from tests.support.readmodel.rebuilds import follow_to_the_end

Fetch = Callable[[Snapshot], Reading[Any]]
ORDER: Fetch = lambda snapshot: orders.order(snapshot, "o1")  # noqa: E731
ALLOCATIONS: Fetch = lambda snapshot: orders.allocations(snapshot, "o1")  # noqa: E731
BATCH: Fetch = lambda snapshot: batches.batch(snapshot, "b1")  # noqa: E731
PRODUCT: Fetch = lambda snapshot: products.product(snapshot, "S")  # noqa: E731
OTHER: Fetch = lambda snapshot: orders.order(snapshot, "o-other")  # noqa: E731
VIEWS = {"order": ORDER, "allocations": ALLOCATIONS, "batch": BATCH, "product": PRODUCT}


@pytest.fixture
def shop(bus: MessageBus, model: Store, log: EventLog) -> MessageBus:
    """A bus that leaves the views to the relay. The views show two batches of S."""
    list(bus.handle_all([CreateBatch("b1", "S", 10, date(2027, 1, 1)), CreateBatch("b2", "S", 10, date(2028, 1, 1))]))
    follow_to_the_end(model, log)
    return bus


def token_after(bus: MessageBus, command: commands.Command) -> ConsistencyToken:
    [outcome] = bus.handle_all([command])
    return token_of(outcome)


def token_of(outcome: object) -> ConsistencyToken:
    assert isinstance(outcome, Done)
    assert outcome.written is not None
    return ConsistencyToken.parse(create_token(PROJECTION, outcome.written))


def impatient(model: Store) -> Store:
    return Store(model.redis, patience=0)


def read(store: Store, token: ConsistencyToken, fetch: Fetch) -> Any:
    return complete(store.reader.read_at_least(token, fetch), store.exchange).value


@contextmanager
def soon(work: Callable[[], object]) -> Iterator[None]:
    """Do the work in another thread, after the reader has begun to wait."""
    thread = threading.Timer(0.1, work)
    thread.start()
    yield
    thread.join()


@pytest.mark.parametrize("fetch", VIEWS.values(), ids=VIEWS)
def test_a_query_does_not_answer_without_the_write(fetch: Fetch, shop: MessageBus, model: Store) -> None:
    token = token_after(shop, Allocate("o1", "S", 1))
    with pytest.raises(NotYet):
        read(impatient(model), token, fetch)


def test_a_query_of_other_views_does_not_wait(shop: MessageBus, model: Store) -> None:
    assert read(impatient(model), token_after(shop, Allocate("o1", "S", 1)), OTHER) is None


@pytest.mark.parametrize("fetch", VIEWS.values(), ids=VIEWS)
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
    token = token_after(shop, Allocate("o1", "S", 10))  # The batch is full, and its register moves.
    start = model.cursor(model.generations().live or "", log.identity())
    page, position = log.read(start or 0)
    assert position == token.position
    model.apply(PROJECTION.fold(page), log.identity())
    assert read(impatient(model), token, fetch)


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


def test_a_token_with_many_places_waits_for_the_cursors(shop: MessageBus, model: Store, log: EventLog) -> None:
    skus = [f"T{number}" for number in range(10)]
    list(shop.handle_all(CreateBatch(f"b-{sku}", sku, 5) for sku in skus))
    token = token_after(shop, AllocateOrder("o1", tuple((sku, 1) for sku in skus)))
    assert not token.has_all_places
    with pytest.raises(NotYet):
        read(impatient(model), token, OTHER)
    follow_to_the_end(model, log)
    assert len(read(impatient(model), token, ALLOCATIONS)) == 10


def test_a_repeated_command_gets_a_token_of_its_first_effect(shop: MessageBus, model: Store, log: EventLog) -> None:
    first = token_after(shop, Allocate("o1", "S", 1))
    again = token_after(shop, Allocate("o1", "S", 1))
    assert again == first
    [keyed_first] = shop.handle_requests([keyed("k1", Allocate("o2", "S", 1))])
    [keyed_again] = shop.handle_requests([keyed("k1", Allocate("o2", "S", 1))])
    assert token_of(keyed_again) == token_of(keyed_first)
    with pytest.raises(NotYet):
        read(impatient(model), again, ORDER)


def test_commands_of_one_transaction_get_tokens_of_their_own(shop: MessageBus) -> None:
    first, second = map(token_of, shop.handle_all([Allocate("o1", "S", 1), Allocate("o2", "S", 2)]))
    assert first.position == second.position
    assert first.places.keys() != second.places.keys()


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
    assert complete(first, store.exchange, store.exchange(wanted.commands)).value
    assert read(store, token, ORDER)


def test_the_fast_path_alone_shows_the_write(shop: MessageBus, projecting_bus: MessageBus, model: Store) -> None:
    [outcome] = projecting_bus.handle_all([Allocate("o1", "S", 1)])
    assert read(impatient(model), token_of(outcome), ORDER)
