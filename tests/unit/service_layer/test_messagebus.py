from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from allocation.domain.commands import Allocate, AllocateOrder, Command, CreateBatch
from allocation.domain.errors import BatchConflict, LineConflict, UnknownSku
from allocation.service_layer import command_requests, messagebus
from allocation.service_layer.command_requests import CommandRequest, grouped
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done, Outcome
from allocation.service_layer.unit_of_work import LockSet, LoggedEvent, RetryableError, StoreUnavailable, Transaction
from tests.support.fakes import FakeStore


class Recorder:
    """A store that keeps count of its transactions, and fails the first ones with the errors given."""

    def __init__(self, *errors: Exception) -> None:
        self.store = FakeStore()
        self.errors = list(errors)
        self.transactions = 0
        self.handed_on: list[LoggedEvent] = []
        self.bus = MessageBus(self.begin, self.handed_on.extend)

    @contextmanager
    def begin(self, locks: LockSet) -> Iterator[Transaction]:
        self.transactions += 1
        with self.store.begin(locks) as uow:
            yield uow
            if self.errors:
                raise self.errors.pop(0)

    def handle_all(self, *commands: Command) -> Sequence[Outcome]:
        return list(self.bus.handle_all(commands))


def test_events_are_handed_on_after_the_commit() -> None:
    recorder = Recorder()
    recorder.bus.handle(CreateBatch("b1", "S", 10))
    assert recorder.handed_on == recorder.store.log
    assert [message["type"] for message in recorder.handed_on] == ["BatchCreated"]


def test_a_refused_command_raises_and_hands_nothing_on() -> None:
    recorder = Recorder()
    with pytest.raises(UnknownSku, match="Invalid sku S"):
        recorder.bus.handle(Allocate("o1", "S", 1))
    assert recorder.handed_on == []


def test_a_repeated_command_changes_nothing_and_hands_on_what_is_so_already() -> None:
    recorder = Recorder()
    commands: list[Command] = [CreateBatch("b1", "S", 10), Allocate("o1", "S", 1), CreateBatch("b2", "S", 5)]
    recorder.handle_all(*commands)
    assert [message["version"] for message in recorder.handed_on] == [1, 2, 3]
    recorder.handed_on.clear()
    recorder.handle_all(*commands)
    assert len(recorder.store.log) == 3
    assert [message["version"] for message in recorder.handed_on] == [2, 2, 3], "the latest of b1, of o1, of b2"


def test_commands_of_one_type_share_a_transaction() -> None:
    recorder = Recorder()
    assert recorder.handle_all(*(CreateBatch(f"b{n}", "S", 10) for n in range(5))) == [Done()] * 5
    assert recorder.transactions == 1


def test_in_a_shared_transaction_a_refused_command_fails_alone() -> None:
    recorder = Recorder()
    recorder.handle_all(CreateBatch("b1", "S", 10), Allocate("o1", "S", 1))
    outcomes = recorder.handle_all(
        Allocate("o2", "S", 1), Allocate("o1", "S", 2), Allocate("o3", "X", 1), Allocate("o4", "S", 1)
    )
    assert [type(outcome) for outcome in outcomes] == [Done, LineConflict, UnknownSku, Done]
    assert set(recorder.store.lines) == {("o1", "S"), ("o2", "S"), ("o4", "S")}
    assert recorder.transactions == 3


def test_a_batch_created_with_other_data_is_refused_under_any_sku() -> None:
    # W9
    recorder = Recorder()
    outcomes = recorder.handle_all(CreateBatch("b1", "S", 10), CreateBatch("b1", "T", 10), CreateBatch("b1", "S", 11))
    assert [type(outcome) for outcome in outcomes] == [Done, BatchConflict, BatchConflict]
    assert set(recorder.store.products) == {"S"}


@pytest.mark.parametrize(
    ("reason", "commands", "sizes"),
    [
        ("one type", [CreateBatch("b", "S", 1), Allocate("o", "S", 1), CreateBatch("c", "S", 1)], [1, 1, 1]),
        ("no line twice", [Allocate("o", "S", 1), Allocate("p", "S", 1), Allocate("o", "S", 1)], [2, 1]),
        ("the same order on two SKUs is two lines", [Allocate("o", "S", 1), Allocate("o", "T", 1)], [2]),
        ("no batch twice", [CreateBatch("b", "S", 1), CreateBatch("b", "T", 1)], [1, 1]),
        ("so many", [Allocate(f"o{n}", "S", 1) for n in range(7)], [3, 3, 1]),
        ("none", [], []),
    ],
)
def test_which_commands_share_a_transaction(
    reason: str, commands: list[Command], sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_requests, "GROUP_SIZE", 3)
    groups = [[request.command for request in group] for group in grouped(map(CommandRequest, commands))]
    assert [len(group) for group in groups] == sizes, reason
    assert [command for group in groups for command in group] == commands


def test_a_command_over_several_products_shares_with_none() -> None:
    two, one = AllocateOrder("o1", (("S", 1), ("T", 1))), [AllocateOrder(f"o{n}", (("S", 1),)) for n in (2, 3, 4)]
    groups = [[request.command for request in group] for group in grouped(map(CommandRequest, [one[0], two, *one[1:]]))]
    assert groups == [[one[0]], [two], one[1:]]


def test_a_lost_race_is_run_again_as_a_whole() -> None:
    # W3
    recorder = Recorder(RetryableError("deadlock"), RetryableError("deadlock"))
    assert recorder.handle_all(CreateBatch("b1", "S", 10), CreateBatch("b2", "S", 10)) == [Done(), Done()]
    assert recorder.transactions == 3


def test_the_attempts_are_bounded() -> None:
    recorder = Recorder(*[RetryableError("deadlock")] * 100)
    with pytest.raises(StoreUnavailable):
        recorder.bus.handle(CreateBatch("b1", "S", 10))
    assert recorder.transactions == messagebus.ATTEMPTS


def test_any_other_error_rolls_the_group_back_and_each_command_is_tried_alone() -> None:
    recorder = Recorder(ZeroDivisionError(), ZeroDivisionError())
    outcomes = recorder.handle_all(CreateBatch("b1", "S", 10), CreateBatch("b2", "S", 10), CreateBatch("b3", "S", 10))
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError, Done, Done]


def test_a_store_that_is_away_is_the_outcome_of_all_that_shared_the_transaction() -> None:
    recorder = Recorder(StoreUnavailable("away"))
    outcomes = recorder.handle_all(CreateBatch("b1", "S", 10), CreateBatch("b2", "S", 10), Allocate("o1", "S", 1))
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable, StoreUnavailable, Done]
    assert recorder.transactions == 2


def test_no_events_are_left_over_from_a_transaction_that_failed() -> None:
    # W14
    recorder = Recorder(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        recorder.bus.handle(CreateBatch("b1", "S", 10))
    recorder.bus.handle(CreateBatch("b2", "S", 10))
    assert [message["batches"][0]["ref"] for message in recorder.handed_on] == ["b2"]
