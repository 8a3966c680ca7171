"""Which requests share a commit, who waits for whom, and that one which can't go on holds up nobody else."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from math import ceil

import pytest

from allocation.domain.commands import Allocate, AllocateOrder, Command, CreateBatch
from allocation.domain.errors import UnknownSku
from allocation.service_layer import group_commit
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.group_commit import GroupCommit
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.outcomes import Done, OrderOutcome, Outcome
from allocation.service_layer.unit_of_work import Busy, StoreUnavailable
from tests.support.eventually import eventually

ANSWERED_ALONE = Done(OrderOutcome("alone", []))


class Commits:
    """Commits that take as long as the test wants. `failing` is what the next ones fail of."""

    def __init__(self, most: int = 100) -> None:
        self.groups: list[list[Command]] = []
        self.alone: list[Command] = []
        self.failing: list[BaseException] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.bus = GroupCommit(self.together, self.by_itself, most)
        self.pool = ThreadPoolExecutor(50)

    def together(self, group: Sequence[CommandRequest]) -> Sequence[Outcome]:
        self.groups.append([request.command for request in group])
        assert self.go_on.wait(10)
        if self.failing:
            raise self.failing.pop(0)
        return [outcome_of(request.command) for request in group]

    def by_itself(self, request: CommandRequest) -> Outcome:
        self.alone.append(request.command)
        return ANSWERED_ALONE

    def send(self, *commands: Command, key: IdempotencyKey | None = None) -> list[Future[Outcome]]:
        """Send each from a thread of its own, one after the other."""
        return [self._send(CommandRequest(command, key)) for command in commands]

    def _send(self, request: CommandRequest) -> Future[Outcome]:
        before = self.known
        future = self.pool.submit(self.bus.execute, request)
        eventually(lambda: self.known > before)
        return future

    @property
    def known(self) -> int:
        waiting = sum(len(lane._queue) for lane in self.bus._lanes.values())
        return waiting + sum(map(len, self.groups)) + len(self.alone)


def outcome_of(command: Command) -> Outcome:
    return (
        UnknownSku("X")
        if isinstance(command, Allocate) and command.sku == "X"
        else Done(OrderOutcome(repr(command), []))
    )


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, nobody leaves, but in the tests that are about leaving."""
    monkeypatch.setattr(group_commit, "LONGEST_QUEUEING", 60.0)


@pytest.fixture
def commits() -> Iterator[Commits]:
    commits = Commits()
    yield commits
    commits.go_on.set()
    commits.pool.shutdown()


@contextmanager
def running(commits: Commits, first: Command) -> Iterator[None]:
    """A commit that runs until the end of the block."""
    commits.go_on.clear()
    [future] = commits.send(first)
    yield
    commits.go_on.set()
    future.result(10)


def line(number: int, sku: str = "S") -> Allocate:
    return Allocate(f"o{number}", sku, 1)


def test_a_lone_request_goes_at_once(commits: Commits) -> None:
    assert commits.bus.execute(CommandRequest(line(1))) == outcome_of(line(1))
    assert commits.bus.execute(CommandRequest(line(2))) == outcome_of(line(2))
    assert commits.groups == [[line(1)], [line(2)]]


def test_what_comes_while_a_commit_is_running_shares_the_next_one_first_come_first(commits: Commits) -> None:
    with running(commits, line(0)):
        futures = commits.send(*map(line, range(1, 9)))
        assert commits.groups == [[line(0)]]
    assert [future.result(10) for future in futures] == [outcome_of(line(n)) for n in range(1, 9)]
    assert commits.groups == [[line(0)], [line(n) for n in range(1, 9)]]


@pytest.mark.parametrize("ahead", [0, 1, 2, 3, 7, 12])
def test_a_request_waits_for_no_more_commits_than_it_must(ahead: int) -> None:
    commits = Commits(most=3)
    with running(commits, line(100)):
        commits.send(*map(line, range(ahead)))
        [last] = commits.send(line(200))
    last.result(10)
    mine = next(number for number, group in enumerate(commits.groups) if line(200) in group)
    assert max(map(len, commits.groups)) <= 3
    assert mine <= ceil(ahead / 3) + 1
    assert [command for group in commits.groups for command in group] == [
        line(100),
        *map(line, range(ahead)),
        line(200),
    ]
    commits.pool.shutdown()


def test_a_refused_command_fails_alone(commits: Commits) -> None:
    with running(commits, line(0)):
        futures = commits.send(line(1), line(2, "X"), line(3))
    assert [type(future.result(10)) for future in futures] == [Done, UnknownSku, Done]
    assert len(commits.groups) == 2


def test_the_same_line_waits_for_its_own_commit_and_holds_up_no_other(commits: Commits) -> None:
    with running(commits, line(0)):
        futures = commits.send(line(1), line(1), line(2), line(1), line(3))
    assert [future.result(10) for future in futures] == [outcome_of(line(n)) for n in (1, 1, 2, 1, 3)]
    assert commits.groups[1:] == [[line(1), line(2), line(3)], [line(1)], [line(1)]]


def test_the_same_key_never_comes_twice_in_a_commit(commits: Commits) -> None:
    key = IdempotencyKey("- /allocate", "k", "f")
    with running(commits, line(0)):
        futures = [*commits.send(line(1), key=key), *commits.send(line(2), key=key)]
    assert [future.result(10) for future in futures] == [outcome_of(line(1)), outcome_of(line(2))]
    assert commits.groups[1:] == [[line(1)], [line(2)]]


def test_commands_of_another_type_do_not_wait(commits: Commits) -> None:
    with running(commits, line(0)):
        [future] = commits.send(CreateBatch("b1", "S", 1))
        assert commits.groups == [[line(0)], [CreateBatch("b1", "S", 1)]]
        assert not future.done()
    assert future.result(10) == outcome_of(CreateBatch("b1", "S", 1))


def test_a_command_over_several_products_goes_alone(commits: Commits) -> None:
    order = AllocateOrder("o1", (("S", 1), ("T", 1)))
    with running(commits, AllocateOrder("o2", (("S", 1),))):
        [future] = commits.send(order)
        assert future.result(10) == ANSWERED_ALONE
    assert commits.alone == [order]


def test_of_a_group_that_fails_each_goes_alone(commits: Commits, caplog: pytest.LogCaptureFixture) -> None:
    with running(commits, line(0)):
        futures = commits.send(line(1), line(2))
        commits.failing = [Busy("held"), ZeroDivisionError()]
    assert [future.result(10) for future in futures] == [ANSWERED_ALONE] * 2
    assert sorted(map(repr, commits.alone)) == [repr(line(n)) for n in range(3)]
    assert "A group of 2 commands failed" in caplog.text


def test_what_a_lone_request_fails_of_is_its_outcome(commits: Commits) -> None:
    commits.failing = [ZeroDivisionError()]
    assert isinstance(commits.bus.execute(CommandRequest(line(1))), ZeroDivisionError)
    assert commits.alone == []


def test_nobody_is_left_waiting_whatever_becomes_of_the_one_that_leads(commits: Commits) -> None:
    with running(commits, line(0)):
        leader, *others = commits.send(line(1), line(2), line(3))
        commits.failing = [Busy("held"), SystemExit()]
    assert [future.result(10) for future in others] == [ANSWERED_ALONE] * 2
    assert isinstance(leader.exception(10), SystemExit)
    assert commits.bus.execute(CommandRequest(line(4))) == outcome_of(line(4)), "the lane goes on"


def test_who_makes_the_store_give_up_gives_up_alone(commits: Commits) -> None:
    with running(commits, line(0)):
        futures = commits.send(line(1), line(2))
        commits.failing = [StoreUnavailable("away"), StoreUnavailable("it lost every race")]
        first = commits.groups[0]
    assert first == [line(0)]
    assert [future.result(10) for future in futures] == [ANSWERED_ALONE] * 2


def test_what_is_still_held_when_a_lone_request_gives_up_does_not_hold_up_the_lane_again(commits: Commits) -> None:
    commits.bus._execute_alone = lambda request: Busy("still held")
    commits.failing = [Busy("held")]
    assert [type(future.result(10)) for future in commits.send(line(1, "HELD"))] == [Busy]
    assert isinstance(commits.bus.execute(CommandRequest(line(2, "HELD"))), Busy)
    assert commits.groups == [[line(1, "HELD")]], "only the first has tried to share"
    commits.bus._execute_alone = commits.by_itself
    assert commits.bus.execute(CommandRequest(line(3, "HELD"))) == ANSWERED_ALONE
    assert commits.bus.execute(CommandRequest(line(4, "HELD"))) == outcome_of(line(4, "HELD")), "it is free"


def test_what_somebody_else_holds_is_waited_for_alone_until_it_is_free(commits: Commits) -> None:
    free = threading.Event()

    def wait_for_it(request: CommandRequest) -> Outcome:
        commits.alone.append(request.command)
        if isinstance(request.command, Allocate) and request.command.sku == "HELD":
            assert free.wait(10)
        return ANSWERED_ALONE

    commits.bus._execute_alone = wait_for_it
    commits.failing = [Busy("held")]
    [first] = commits.send(line(1, "HELD"))
    eventually(lambda: commits.alone == [line(1, "HELD")])
    [second] = commits.send(line(2, "HELD"))
    assert commits.groups == [[line(1, "HELD")]], "it did not try to share"
    assert commits.bus.execute(CommandRequest(line(3))) == outcome_of(line(3)), "others are held up by neither"
    free.set()
    assert [first.result(10), second.result(10)] == [ANSWERED_ALONE] * 2
    assert commits.bus.execute(CommandRequest(line(4, "HELD"))) == outcome_of(line(4, "HELD")), "it is shared again"


def test_nothing_is_taken_for_held_when_it_no_longer_is(commits: Commits) -> None:
    with running(commits, line(0)):
        futures = commits.send(line(1, "A"), line(2, "B"))
        commits.failing = [Busy("held")] * 2
    assert [future.result(10) for future in futures] == [ANSWERED_ALONE] * 2
    assert commits.bus._blocked == frozenset()


def test_who_waits_behind_an_unusually_long_commit_goes_alone(
    commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LONGEST_QUEUEING", 0.05)
    with running(commits, line(0)):
        futures = commits.send(line(1), line(2))
        assert [future.result(10) for future in futures] == [ANSWERED_ALONE] * 2
    assert commits.groups == [[line(0)]]


def test_each_request_is_carried_out_once_however_many_come_and_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "LONGEST_QUEUEING", 0.001)
    counted, lock = list[Command](), threading.Lock()

    def carry_out(commands: Sequence[Command]) -> None:
        with lock:
            counted.extend(commands)
        threading.Event().wait(0.0005 * (len(counted) % 5))  # Now within the patience of those behind, now beyond.

    def together(group: Sequence[CommandRequest]) -> Sequence[Outcome]:
        carry_out([request.command for request in group])
        groups.append(len(group))
        return [outcome_of(request.command) for request in group]

    def alone(request: CommandRequest) -> Outcome:
        carry_out([request.command])
        left.append(request)
        return outcome_of(request.command)

    groups, left = list[int](), list[CommandRequest]()
    bus = GroupCommit(together, alone, 5)
    commands = [line(n) for n in range(2_000)]
    with ThreadPoolExecutor(24) as pool:
        outcomes = list(pool.map(lambda command: bus.execute(CommandRequest(command)), commands))
    assert outcomes == list(map(outcome_of, commands))
    assert sorted(counted, key=repr) == sorted(commands, key=repr)
    assert max(groups) > 1, "some shared"
    assert left, "some left"
