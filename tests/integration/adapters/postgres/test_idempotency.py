"""A command with a key is carried out once, whatever comes again, at once, or in between."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.event import listen

from allocation.adapters.postgres import idempotency as outcomes
from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.idempotency import delete_old_keys
from allocation.bootstrap import create_message_bus
from allocation.domain.commands import Allocate, AllocateOrder, Command, CreateBatch, Deallocate
from allocation.domain.errors import BatchConflict, LineConflict, OrderShort, Refusal, UnknownSku
from allocation.entrypoints.http.idempotency_keys import key_of, key_scope
from allocation.entrypoints.relay.key_expiry import KeyExpiry
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.idempotency import KeyReused, StillRunning
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import StoreUnavailable
from allocation.shutdown import Shutdown
from tests.model.oracle import assert_the_state_is_sound
from tests.support.eventually import eventually
from tests.support.subjects import Subject, stores_that_keep_keys
from tests.support.waits import waiting

FIRST = Allocate("o1", "S", 4)


def keyed(value: str, command: Command, scope: str = "- /allocate") -> CommandRequest:
    return CommandRequest(command, key_of(scope, value, command))


def handle(subject: Subject, *requests: CommandRequest) -> list[object]:
    return list(subject.bus.handle_requests(requests))


@stores_that_keep_keys
def test_the_second_one_gets_the_first_ones_answer_and_does_nothing(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10))
    assert handle(subject, keyed("k1", FIRST)) == [Done()]
    subject.commit(Deallocate("o1", "S"))
    before = list(subject.log())
    assert handle(subject, keyed("k1", FIRST)) == [Done()]
    assert subject.log() == before, "without the key the line would be allocated again"


@stores_that_keep_keys
@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (Allocate("o1", "X", 1), UnknownSku),
        (Allocate("o0", "S", 7), LineConflict),
        (AllocateOrder("o1", (("S", 50), ("X", 1)), all_or_nothing=True), OrderShort),
    ],
)
def test_a_refusal_is_an_answer_too(subject: Subject, command: Command, refusal: type[Refusal]) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o0", "S", 1))
    [first] = handle(subject, keyed("k1", command))
    subject.commit(Deallocate("o0", "S"), CreateBatch("b2", "S", 50), CreateBatch("x1", "X", 5))
    before = list(subject.log())
    [second] = handle(subject, keyed("k1", command))
    assert isinstance(first, refusal)
    assert isinstance(second, refusal)
    assert (str(first), vars(first)) == (str(second), vars(second))
    assert subject.log() == before


@stores_that_keep_keys
def test_an_answer_with_content_is_kept_whole(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10))
    order = AllocateOrder("o1", (("S", 4), ("X", 1), ("S2", 1)))
    [first] = handle(subject, keyed("k1", order))
    subject.commit(Deallocate("o1", "S"))
    assert handle(subject, keyed("k1", order)) == [first]
    assert isinstance(first, Done)
    assert first.result is not None
    assert [line.status for line in first.result.lines] == ["allocated", "refused", "refused"]


@stores_that_keep_keys
def test_another_body_is_refused_and_changes_nothing(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10))
    handle(subject, keyed("k1", FIRST))
    before = list(subject.log())
    for other in (Allocate("o1", "S", 5), Allocate("o2", "S", 4), Deallocate("o1", "S")):
        [outcome] = handle(subject, keyed("k1", other))
        assert isinstance(outcome, KeyReused)
    assert subject.log() == before
    assert handle(subject, keyed("k1", FIRST)) == [Done()]


@stores_that_keep_keys
def test_a_key_belongs_to_its_sender_and_route(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10))
    scopes = {key_scope(route, token) for route in ("/allocate", "/commands") for token in (None, "one", "two")}
    assert len(scopes) == 6
    assert not any("one" in scope for scope in scopes), "a token is not kept"
    requests = [keyed("k1", Allocate(f"o{n}", "S", 1), scope) for n, scope in enumerate(sorted(scopes))]
    assert handle(subject, *requests) == [Done()] * 6
    assert sum(event["type"] == "Allocated" for event in subject.log()) == 6


@stores_that_keep_keys
def test_repeats_among_others_share_their_transaction(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10))
    requests = [keyed(f"k{n}", Allocate(f"o{n}", "S", 4)) for n in range(4)]
    bad = keyed("bad", Allocate("o9", "X", 1))
    first = handle(subject, requests[0], bad, requests[1])
    second = handle(subject, *requests, bad, CommandRequest(Allocate("o5", "S", 1)), requests[0])
    assert [type(outcome) for outcome in first] == [Done, UnknownSku, Done]
    assert [type(outcome) for outcome in second] == [Done, Done, Done, Done, UnknownSku, Done, Done]
    changed = [event["line"]["orderid"] for event in subject.log() if "line" in event]
    assert changed == ["o0", "o1", "o2", "o3", "o5"]


@stores_that_keep_keys
def test_what_the_first_one_did_is_handed_on_again(subject: Subject) -> None:
    """So that nobody gets the answer before its effect is visible, though whoever did it died before it could show."""
    subject.commit(CreateBatch("b0", "S", 1), Allocate("o1", "S", 4), Allocate("o2", "S", 5))
    subject.handed_on.clear()
    delivery = keyed("k1", CreateBatch("b1", "S", 9), "- /add_batch")
    repeated = keyed("k2", Allocate("o1", "S", 4))
    handle(subject, delivery, repeated)
    first = list(subject.handed_on)
    assert [event["type"] for event in first] == ["BatchCreated", "Allocated", "Allocated", "Allocated"]
    subject.commit(Deallocate("o1", "S"))
    subject.handed_on.clear()
    handle(subject, delivery, repeated)
    assert subject.handed_on == first


def test_a_repeat_locks_no_product(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    assert list(bus.handle_requests([keyed("k1", FIRST)])) == [Done()]
    with engine.begin() as connection:
        connection.execute(text("SELECT FROM products FOR UPDATE"))
        assert list(bus.handle_requests([keyed("k1", FIRST)])) == [Done()]


@contextmanager
def first_still_running(bus: MessageBus, engine: Engine, *requests: CommandRequest) -> Iterator[ThreadPoolExecutor]:
    """The requests are being handled, and wait for a product that somebody else has locked."""
    with ThreadPoolExecutor() as pool, engine.begin() as connection:
        connection.execute(text("SELECT FROM products WHERE sku = 'S' FOR UPDATE"))
        first = pool.submit(lambda: list(bus.handle_requests(requests)))
        eventually(lambda: waiting(engine, "FOR NO KEY UPDATE") == 1)
        yield pool
        connection.rollback()
        assert first.result() == [Done()] * len(requests)


def test_who_comes_while_the_first_is_running_waits_for_its_answer(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    request = keyed("k1", FIRST)
    with first_still_running(bus, engine, request) as pool:
        others = [pool.submit(lambda: list(bus.handle_requests([request]))) for _ in range(3)]
        other_body = pool.submit(lambda: list(bus.handle_requests([keyed("k1", Allocate("o2", "S", 1))])))
        eventually(lambda: waiting(engine, "INSERT INTO idempotency_keys") == 4)
    assert [other.result() for other in others] == [[Done()]] * 3
    assert [type(outcome) for outcome in other_body.result()] == [KeyReused]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM order_lines")).scalar_one() == 1


@pytest.fixture
def impatient(database_url: str) -> Iterator[Engine]:
    """Waits for a lock for a twentieth of a second."""
    engine = create_postgres_engine(f"{database_url}?options=-clock_timeout%3D50ms", connections=2)
    yield engine
    engine.dispose()


def test_nobody_waits_for_ever(bus: MessageBus, engine: Engine, impatient: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    bus.handle(CreateBatch("t1", "T", 10))
    hurried = create_message_bus(impatient, lambda events: None)
    with first_still_running(bus, engine, keyed("k1", FIRST)):
        requests = [keyed("k1", FIRST), keyed("k2", Allocate("o2", "T", 1)), keyed("k3", Allocate("o3", "X", 1))]
        found = [type(outcome) for outcome in hurried.handle_requests(requests)]
        assert found == [StillRunning, Done, UnknownSku], "each on its own feet"
        with pytest.raises(StillRunning, match="still running"):
            hurried.handle(requests[0].command, requests[0].key)
    assert list(bus.handle_requests([keyed("k1", FIRST)])) == [Done()]


def test_who_shares_a_transaction_waits_for_a_held_key_once(bus: MessageBus, engine: Engine, impatient: Engine) -> None:
    """However many of the keys are held: a wait for each, one after the other, would add up."""
    list(bus.handle_all([CreateBatch("b1", "S", 100), CreateBatch("t1", "T", 100)]))
    held = [keyed(f"k{n}", Allocate(f"o{n}", "S", 1)) for n in range(30)]
    free = [keyed(f"t{n}", Allocate(f"o{n}", "T", 1)) for n in range(30)]
    seen: list[str] = []
    with first_still_running(bus, engine, *held):
        listen(impatient, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
        found = list(create_message_bus(impatient, lambda events: None).handle_requests([*held, *free]))
        assert [type(outcome) for outcome in found] == [StillRunning] * 30 + [Done] * 30
    assert sum("lock_timeout = '10ms'" in statement for statement in seen) == 60, "the others don't wait"


def test_an_answer_that_only_a_newer_process_can_read_fails_alone(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    unknown = keyed("k1", Allocate("o1", "X", 1))
    list(bus.handle_requests([unknown]))
    with engine.begin() as connection:
        connection.execute(text('UPDATE idempotency_keys SET outcome = \'{"refusal": "Unheard", "members": {}}\''))
    found = [type(outcome) for outcome in bus.handle_requests([keyed("k2", FIRST), unknown])]
    assert found == [Done, StoreUnavailable]


def test_a_refused_batch_leaves_no_product(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    other = CreateBatch("b1", "GHOST", 10)
    assert [type(outcome) for outcome in bus.handle_requests([keyed("k1", other)])] == [BatchConflict]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT sku FROM products")).scalars().all() == ["S"]


def test_where_the_first_is_rolled_back_the_next_one_does_it(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    request = keyed("k1", FIRST)
    with engine.begin() as first:
        first.execute(text("INSERT INTO idempotency_keys VALUES ('- /allocate', 'k1', 'x')"))
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(lambda: list(bus.handle_requests([request])))
            eventually(lambda: waiting(engine, "INSERT INTO idempotency_keys") == 1)
            first.rollback()
            assert second.result() == [Done()]
    assert_the_state_is_sound(engine)


def test_many_at_once_with_the_same_keys_in_any_order_are_one(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 100))
    requests = [keyed(f"k{n}", Allocate(f"o{n}", "S", 1)) for n in range(60)]
    barrier = threading.Barrier(6)

    def send(turn: int) -> list[object]:
        barrier.wait()
        turned = requests[10 * turn :] + requests[: 10 * turn]
        return list(bus.handle_requests(turned if turn % 2 else reversed(turned)))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(send, range(6))) == [[Done()] * 60] * 6
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM events")).scalar_one() == 61
    assert_the_state_is_sound(engine)


def test_old_keys_are_deleted_in_small_steps_and_young_ones_stay(
    bus: MessageBus, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "DELETED_AT_ONCE", 2)
    bus.handle(CreateBatch("b1", "S", 100))
    list(bus.handle_requests(keyed(f"k{n}", Allocate(f"o{n}", "S", 1)) for n in range(6)))
    with engine.begin() as connection:
        connection.execute(text("UPDATE idempotency_keys SET created_at = now() - interval '1 hour' WHERE key < 'k5'"))
    assert [delete_old_keys(engine, 3_599) for _ in range(4)] == [2, 2, 1, 0]
    assert kept(engine) == {"k5"}
    assert list(bus.handle_requests([keyed("k0", Allocate("o9", "S", 1))])) == [Done()], "as new"


def test_the_relay_deletes_old_keys(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 100))
    list(bus.handle_requests(keyed(f"k{n}", Allocate(f"o{n}", "S", 1)) for n in range(3)))
    with engine.begin() as connection:
        connection.execute(text("UPDATE idempotency_keys SET created_at = now() - interval '1 hour' WHERE key < 'k2'"))
    stop = Shutdown()
    expiry = KeyExpiry(engine, 3_000, stop, every=0.01)
    expiry.start()
    try:
        eventually(lambda: kept(engine) == {"k2"})
    finally:
        stop.request()
        expiry.join()
    assert expiry.failure is None


def kept(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT key FROM idempotency_keys")).scalars())
