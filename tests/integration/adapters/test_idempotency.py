"""A repeated command with an idempotency key gets the first outcome and changes nothing: fake and PostgreSQL alike."""

import pytest

from allocation.domain.commands import Allocate, AllocateOrder, Command, CreateBatch, Deallocate
from allocation.domain.errors import LineConflict, OrderShort, Refusal, UnknownSku
from allocation.entrypoints.http.idempotency_keys import key_scope
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.idempotency import KeyReused
from allocation.service_layer.outcomes import Done
from tests.support.adapters.requests import keyed
from tests.support.service_layer.subjects import Subject, stores_that_keep_keys

FIRST = Allocate("o1", "S", 4)


def handle(subject: Subject, *requests: CommandRequest) -> list[object]:
    return list(subject.bus.handle_requests(requests))


@stores_that_keep_keys
def test_repeat_gets_the_first_outcome_and_changes_nothing(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10))
    assert handle(subject, keyed("k1", FIRST)) == [Done()]
    subject.commit(Deallocate("o1", "S"))
    before = list(subject.log())
    assert handle(subject, keyed("k1", FIRST)) == [Done()]
    assert subject.log() == before, "Without the key, the repeat would allocate the line again"


@stores_that_keep_keys
@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        pytest.param(Allocate("o1", "X", 1), UnknownSku, id="UnknownSku"),
        pytest.param(Allocate("o0", "S", 7), LineConflict, id="LineConflict"),
        pytest.param(AllocateOrder("o1", (("S", 50), ("X", 1)), all_or_nothing=True), OrderShort, id="OrderShort"),
    ],
)
def test_repeat_gets_the_first_refusal(subject: Subject, command: Command, refusal: type[Refusal]) -> None:
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
def test_repeat_gets_the_whole_result_of_the_first(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10))
    order = AllocateOrder("o1", (("S", 4), ("X", 1), ("S2", 1)))
    [first] = handle(subject, keyed("k1", order))
    subject.commit(Deallocate("o1", "S"))
    assert handle(subject, keyed("k1", order)) == [first]
    assert isinstance(first, Done)
    assert first.result is not None
    assert [line.status for line in first.result.lines] == ["allocated", "refused", "refused"]


@stores_that_keep_keys
def test_key_with_another_body_is_refused_and_changes_nothing(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10))
    handle(subject, keyed("k1", FIRST))
    before = list(subject.log())
    for other in (Allocate("o1", "S", 5), Allocate("o2", "S", 4), Deallocate("o1", "S")):
        [outcome] = handle(subject, keyed("k1", other))
        assert isinstance(outcome, KeyReused)
    assert subject.log() == before
    assert handle(subject, keyed("k1", FIRST)) == [Done()]


@stores_that_keep_keys
def test_key_belongs_to_one_caller_and_route(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10))
    scopes = {key_scope(route, caller) for route in ("/allocate", "/commands") for caller in (None, "one", "two")}
    assert len(scopes) == 6
    requests = [keyed("k1", Allocate(f"o{n}", "S", 1), scope) for n, scope in enumerate(sorted(scopes))]
    assert handle(subject, *requests) == [Done()] * 6
    assert sum(event["type"] == "Allocated" for event in subject.log()) == 6


@stores_that_keep_keys
def test_repeats_share_a_transaction_with_other_commands(subject: Subject) -> None:
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
def test_repeat_publishes_the_events_of_the_first_again(subject: Subject) -> None:
    """The first process may die before it updates the views. So each repeat shows the effect before its answer."""
    subject.commit(CreateBatch("b0", "S", 1), Allocate("o1", "S", 4), Allocate("o2", "S", 5))
    subject.published.clear()
    delivery = keyed("k1", CreateBatch("b1", "S", 9), "- /add_batch")
    repeated = keyed("k2", Allocate("o1", "S", 4))
    handle(subject, delivery, repeated)
    first = list(subject.published)
    assert [event["type"] for event in first] == ["BatchCreated", "Allocated", "Allocated", "Allocated"]
    subject.commit(Deallocate("o1", "S"))
    subject.published.clear()
    handle(subject, delivery, repeated)
    assert subject.published == first
