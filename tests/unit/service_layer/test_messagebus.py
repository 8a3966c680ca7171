"""The message bus groups commands into transactions, retries them, and publishes their events."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from allocation.domain.commands import Allocate, AllocateOrder, Command, CreateBatch
from allocation.domain.errors import BatchConflict, LineConflict, UnknownSku
from allocation.service_layer import command_requests
from allocation.service_layer.command_requests import CommandRequest, grouped
from allocation.service_layer.concurrency.retries import ATTEMPTS
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done, Outcome
from allocation.service_layer.unit_of_work import LockSet, LoggedEvent, RetryableError, StoreUnavailable, Transaction
from tests.support.service_layer.fakes import FakeStore


class Recorder:
    """A fake store that counts its transactions. The first ones fail with `errors`."""

    def __init__(self, *errors: Exception) -> None:
        self.store = FakeStore()
        self.errors = list(errors)
        self.transactions = 0
        self.published: list[LoggedEvent] = []
        self.bus = MessageBus(self.begin, lambda committed: self.published.extend(committed.events))

    @contextmanager
    def begin(self, locks: LockSet) -> Iterator[Transaction]:
        self.transactions += 1
        with self.store.begin(locks) as uow:
            yield uow
            if self.errors:
                raise self.errors.pop(0)

    def handle_all(self, *commands: Command) -> Sequence[Outcome]:
        return list(self.bus.handle_all(commands))


def test_bus_publishes_the_events_of_a_commit() -> None:
    recorder = Recorder()
    recorder.bus.handle(CreateBatch("b1", "S", 10))
    assert recorder.published == recorder.store.log
    assert [event["type"] for event in recorder.published] == ["BatchCreated"]


def test_refused_command_raises_and_publishes_nothing() -> None:
    recorder = Recorder()
    with pytest.raises(UnknownSku, match="Invalid sku S"):
        recorder.bus.handle(Allocate("o1", "S", 1))
    assert recorder.published == []


def test_repeated_command_publishes_the_last_events_again() -> None:
    recorder = Recorder()
    commands: list[Command] = [CreateBatch("b1", "S", 10), Allocate("o1", "S", 1), CreateBatch("b2", "S", 5)]
    recorder.handle_all(*commands)
    assert [event["version"] for event in recorder.published] == [1, 2, 3]
    recorder.published.clear()
    recorder.handle_all(*commands)
    assert len(recorder.store.log) == 3
    assert [event["version"] for event in recorder.published] == [2, 2, 3], "the last events of b1, o1 and b2"


def test_commands_of_one_type_share_a_transaction() -> None:
    recorder = Recorder()
    assert recorder.handle_all(*(CreateBatch(f"b{n}", "S", 10) for n in range(5))) == [Done()] * 5
    assert recorder.transactions == 1


def test_refused_command_fails_alone_in_its_transaction() -> None:
    recorder = Recorder()
    recorder.handle_all(CreateBatch("b1", "S", 10), Allocate("o1", "S", 1))
    outcomes = recorder.handle_all(
        Allocate("o2", "S", 1), Allocate("o1", "S", 2), Allocate("o3", "X", 1), Allocate("o4", "S", 1)
    )
    assert [type(outcome) for outcome in outcomes] == [Done, LineConflict, UnknownSku, Done]
    assert set(recorder.store.lines) == {("o1", "S"), ("o2", "S"), ("o4", "S")}
    assert recorder.transactions == 3


def test_batch_with_other_data_is_refused_under_any_sku() -> None:
    """A reference identifies one batch, so that every later command means the same batch."""
    recorder = Recorder()
    outcomes = recorder.handle_all(CreateBatch("b1", "S", 10), CreateBatch("b1", "T", 10), CreateBatch("b1", "S", 11))
    assert [type(outcome) for outcome in outcomes] == [Done, BatchConflict, BatchConflict]
    assert set(recorder.store.products) == {"S"}


@pytest.mark.parametrize(
    ("commands", "sizes"),
    [
        pytest.param(
            [CreateBatch("b", "S", 1), Allocate("o", "S", 1), CreateBatch("c", "S", 1)],
            [1, 1, 1],
            id="a group has commands of one type",
        ),
        pytest.param(
            [Allocate("o", "S", 1), Allocate("p", "S", 1), Allocate("o", "S", 1)],
            [2, 1],
            id="a group has each line once",
        ),
        pytest.param(
            [Allocate("o", "S", 1), Allocate("o", "T", 1)],
            [2],
            id="one order with two SKUs has two lines",
        ),
        pytest.param(
            [CreateBatch("b", "S", 1), CreateBatch("b", "T", 1)],
            [1, 1],
            id="a group has each batch once",
        ),
        pytest.param(
            [Allocate(f"o{n}", "S", 1) for n in range(7)],
            [3, 3, 1],
            id="a group has at most GROUP_SIZE commands",
        ),
        pytest.param([], [], id="no commands make no group"),
    ],
)
def test_groups_hold_only_commands_that_may_share(
    commands: list[Command], sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_requests, "GROUP_SIZE", 3)
    groups = [[request.command for request in group] for group in grouped(map(CommandRequest, commands))]
    assert [len(group) for group in groups] == sizes
    assert [command for group in groups for command in group] == commands


def test_command_over_several_products_is_a_group_of_its_own() -> None:
    two, one = AllocateOrder("o1", (("S", 1), ("T", 1))), [AllocateOrder(f"o{n}", (("S", 1),)) for n in (2, 3, 4)]
    groups = [[request.command for request in group] for group in grouped(map(CommandRequest, [one[0], two, *one[1:]]))]
    assert groups == [[one[0]], [two], one[1:]]


def test_transaction_is_retried_after_a_lost_race() -> None:
    recorder = Recorder(RetryableError("deadlock"), RetryableError("deadlock"))
    assert recorder.handle_all(CreateBatch("b1", "S", 10), CreateBatch("b2", "S", 10)) == [Done(), Done()]
    assert recorder.transactions == 3


def test_bus_raises_store_unavailable_after_all_attempts() -> None:
    recorder = Recorder(*[RetryableError("deadlock")] * 100)
    with pytest.raises(StoreUnavailable):
        recorder.bus.handle(CreateBatch("b1", "S", 10))
    assert recorder.transactions == ATTEMPTS


def test_commands_run_alone_after_another_error() -> None:
    recorder = Recorder(ZeroDivisionError(), ZeroDivisionError())
    outcomes = recorder.handle_all(CreateBatch("b1", "S", 10), CreateBatch("b2", "S", 10), CreateBatch("b3", "S", 10))
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError, Done, Done]


def test_unavailable_store_is_the_outcome_of_the_whole_group() -> None:
    recorder = Recorder(StoreUnavailable("unreachable"))
    outcomes = recorder.handle_all(CreateBatch("b1", "S", 10), CreateBatch("b2", "S", 10), Allocate("o1", "S", 1))
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable, StoreUnavailable, Done]
    assert recorder.transactions == 2


def test_failed_transaction_leaves_no_events_to_publish() -> None:
    """An event that survives a rollback would announce an allocation that does not exist."""
    recorder = Recorder(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        recorder.bus.handle(CreateBatch("b1", "S", 10))
    recorder.bus.handle(CreateBatch("b2", "S", 10))
    assert [event["batches"][0]["ref"] for event in recorder.published] == ["b2"]
