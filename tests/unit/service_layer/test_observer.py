"""The message bus reports each command once, with its final outcome, and each transaction."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import pytest

from allocation.domain.commands import Allocate, Command, CreateBatch
from allocation.domain.errors import UnknownSku
from allocation.domain.events import Allocated, BatchCreated, Event
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.idempotency import StillRunning
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.observer import Observer
from allocation.service_layer.outcomes import Done, Outcome
from allocation.service_layer.unit_of_work import Busy, LockSet, RetryableError, Transaction
from tests.support.service_layer.fakes import FakeStore


class Recorder(Observer):
    """A store whose first transactions fail with `errors`, and what its bus has reported."""

    def __init__(self, *errors: Exception, together: int = 1) -> None:
        self.executions: list[tuple[type[Command], list[object]]] = []
        self.commits: list[tuple[int, list[type[Event]]]] = []
        self.retries: list[str] = []
        self.timeouts: list[type[Exception]] = []
        self._store = FakeStore()
        self._errors = list(errors)
        self.bus = MessageBus(self._begin, lambda events: None, together, self)

    @contextmanager
    def _begin(self, locks: LockSet) -> Iterator[Transaction]:
        if self._errors:
            raise self._errors.pop(0)
        with self._store.begin(locks) as transaction:
            yield transaction

    def executed(self, command: type[Command], outcomes: Sequence[Outcome]) -> None:
        self.executions.append((command, [type(outcome) for outcome in outcomes]))

    def committed(self, commands: int, seconds: float, events: Sequence[Event]) -> None:
        self.commits.append((commands, [type(event) for event in events]))

    def retried(self, error: RetryableError) -> None:
        self.retries.append(error.reason)

    def timed_out(self, error: Busy | StillRunning) -> None:
        self.timeouts.append(type(error))


def deadlock() -> RetryableError:
    error = RetryableError("a deadlock")
    error.reason = "deadlock"
    return error


def test_bus_reports_a_command_and_its_transaction() -> None:
    recorder = Recorder()
    recorder.bus.handle(CreateBatch("b1", "S", 10))
    assert recorder.executions == [(CreateBatch, [Done])]
    assert recorder.commits == [(1, [BatchCreated])]


def test_bus_reports_a_group_of_a_bulk_at_once() -> None:
    recorder = Recorder()
    recorder.bus.handle(CreateBatch("b1", "S", 10))
    commands = [Allocate("o1", "S", 1), Allocate("o2", "S", 1), Allocate("o3", "T", 1)]
    assert len(list(recorder.bus.handle_all(commands))) == 3
    assert recorder.executions[1:] == [(Allocate, [Done, Done, UnknownSku])]
    assert recorder.commits[1:] == [(3, [Allocated, Allocated])]


def test_bus_reports_a_command_of_a_lane_before_its_client() -> None:
    recorder, seen = Recorder(together=100), Future[int]()
    request = CommandRequest(CreateBatch("b1", "S", 10))
    assert recorder.bus.submit(request, lambda _: seen.set_result(len(recorder.executions)))
    assert seen.result() == 1
    assert recorder.executions == [(CreateBatch, [Done])]


def test_bus_reports_each_repetition_and_one_outcome() -> None:
    recorder = Recorder(deadlock(), RetryableError("unknown"))
    recorder.bus.handle(CreateBatch("b1", "S", 10))
    assert recorder.retries == ["deadlock", "other"]
    assert recorder.executions == [(CreateBatch, [Done])]
    assert len(recorder.commits) == 1


def test_bus_reports_waits_for_locks() -> None:
    recorder = Recorder(Busy("held"), StillRunning())
    recorder.bus.handle(CreateBatch("b1", "S", 10))
    assert recorder.timeouts == [Busy, StillRunning]
    assert recorder.executions == [(CreateBatch, [Done])]


class Faulty(Recorder):
    """Raises an error in each report."""

    def executed(self, command: type[Command], outcomes: Sequence[Outcome]) -> None:
        super().executed(command, outcomes)
        raise ZeroDivisionError("a bug")

    def committed(self, commands: int, seconds: float, events: Sequence[Event]) -> None:
        super().committed(commands, seconds, events)
        raise ZeroDivisionError("a bug")

    def retried(self, error: RetryableError) -> None:
        super().retried(error)
        raise ZeroDivisionError("a bug")

    def timed_out(self, error: Busy | StillRunning) -> None:
        super().timed_out(error)
        raise ZeroDivisionError("a bug")


@pytest.mark.parametrize("together", [1, 100])
def test_an_error_of_the_observer_costs_no_outcome(together: int, caplog: pytest.LogCaptureFixture) -> None:
    """After the commit, it would make the bus execute the command again."""
    recorder = Faulty(deadlock(), Busy("held"), together=together)
    recorder.bus.handle(CreateBatch("b1", "S", 10))
    commands = [Allocate("o1", "S", 1), Allocate("o2", "S", 1)]
    assert [type(outcome) for outcome in recorder.bus.handle_all(commands)] == [Done, Done]
    assert recorder.executions == [(CreateBatch, [Done]), (Allocate, [Done, Done])]
    assert recorder.commits == [(1, [BatchCreated]), (2, [Allocated, Allocated])]
    assert (recorder.retries, recorder.timeouts) == (["deadlock"], [Busy])
    assert caplog.messages.count("The observer of the message bus fails. Commands do not wait for it") == 1
