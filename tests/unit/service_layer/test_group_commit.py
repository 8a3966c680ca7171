"""Requests that arrive during a commit share the next one, as far as they may."""

import threading
from collections.abc import Sequence
from math import ceil

import pytest

from allocation.domain.commands import AllocateOrder, Command, CreateBatch
from allocation.domain.errors import UnknownSku
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.concurrency import group_commit
from allocation.service_layer.concurrency.execution import Execution
from allocation.service_layer.concurrency.group_commit import GroupCommit
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.outcomes import Done, Outcome
from allocation.service_layer.unit_of_work import LockWait
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.service_layer.commits import Commits, line, outcome_of, submit


def test_lone_request_is_committed_immediately(commits: Commits) -> None:
    assert commits.execute(line(1)) == outcome_of(line(1))
    assert commits.execute(line(2)) == outcome_of(line(2))
    assert commits.groups == [[line(1)], [line(2)]]


def test_queued_requests_share_the_next_commit_in_order(commits: Commits) -> None:
    with commits.running(line(0)):
        futures = commits.send(*map(line, range(1, 9)))
        assert commits.groups == [[line(0)]]
    assert [future.result(PATIENCE) for future in futures] == [outcome_of(line(n)) for n in range(1, 9)]
    assert commits.groups == [[line(0)], [line(n) for n in range(1, 9)]]


@pytest.mark.parametrize("commits", [3], indirect=True, ids=["3 at most"])
@pytest.mark.parametrize("ahead", [0, 1, 2, 3, 7, 12])
def test_request_waits_for_no_more_commits_than_it_must(commits: Commits, ahead: int) -> None:
    with commits.running(line(100)):
        commits.send(*map(line, range(ahead)))
        [last] = commits.send(line(200))
    last.result(PATIENCE)
    own = next(number for number, group in enumerate(commits.groups) if line(200) in group)
    assert max(map(len, commits.groups)) <= 3
    assert own <= ceil(ahead / 3) + 1
    assert [command for group in commits.groups for command in group] == [
        line(100),
        *map(line, range(ahead)),
        line(200),
    ]


def test_refused_command_fails_alone_in_its_group(commits: Commits) -> None:
    with commits.running(line(0)):
        futures = commits.send(line(1), line(2, "X"), line(3))
    assert [type(future.result(PATIENCE)) for future in futures] == [Done, UnknownSku, Done]
    assert len(commits.groups) == 2


def test_requests_for_one_line_never_share_a_commit(commits: Commits) -> None:
    with commits.running(line(0)):
        futures = commits.send(line(1), line(1), line(2), line(1), line(3))
    assert [future.result(PATIENCE) for future in futures] == [outcome_of(line(n)) for n in (1, 1, 2, 1, 3)]
    assert commits.groups[1:] == [[line(1), line(2), line(3)], [line(1)], [line(1)]]


def test_requests_with_one_key_never_share_a_commit(commits: Commits) -> None:
    key = IdempotencyKey("- /allocate", "k", "f")
    with commits.running(line(0)):
        futures = [*commits.send(line(1), key=key), *commits.send(line(2), key=key)]
    assert [future.result(PATIENCE) for future in futures] == [outcome_of(line(1)), outcome_of(line(2))]
    assert commits.groups[1:] == [[line(1)], [line(2)]]


def test_commands_of_another_type_do_not_wait(commits: Commits) -> None:
    with commits.running(line(0)):
        [future] = commits.send(CreateBatch("b1", "S", 1))
        eventually(lambda: commits.groups == [[line(0)], [CreateBatch("b1", "S", 1)]])
        assert not future.done()
    assert future.result(PATIENCE) == outcome_of(CreateBatch("b1", "S", 1))


def test_command_over_several_products_runs_alone(commits: Commits) -> None:
    order = AllocateOrder("o1", (("S", 1), ("T", 1)))
    assert submit(commits.group_commit, CommandRequest(order)) is None
    with commits.running(line(0)):
        commits.send(order)
        assert commits.groups == [[line(0)], [order]]


def test_another_commit_starts_beside_a_slow_one(commits: Commits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "LONGEST_QUEUEING", 0.05)
    with commits.running(line(0)):
        futures = commits.send(line(1), line(2, "T"), line(3, "U"))
        eventually(
            lambda: [command for group in commits.groups[1:] for command in group] == [line(2, "T"), line(3, "U")]
        )
        assert not any(future.done() for future in futures)
    assert [future.result(PATIENCE) for future in futures] == [
        outcome_of(line(1)),
        outcome_of(line(2, "T")),
        outcome_of(line(3, "U")),
    ]
    assert commits.groups[-1] == [line(1)], "the slow commit holds its product"


def test_each_request_is_executed_once_when_commits_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "LONGEST_QUEUEING", 0.001)
    executed, groups, lock = list[Command](), list[int](), threading.Lock()
    running, most_running = 0, 0

    def commit(group: Sequence[CommandRequest], _: LockWait) -> Sequence[Outcome]:
        nonlocal running, most_running
        with lock:
            executed.extend(request.command for request in group)
            groups.append(len(group))
            running += 1
            most_running = max(most_running, running)
        # Some commits end before LONGEST_QUEUEING, others after it.
        threading.Event().wait(0.001 * (len(executed) % 5))
        with lock:
            running -= 1
        return [outcome_of(request.command) for request in group]

    commits = GroupCommit(Execution(commit), 5)
    commands = [line(n, f"S{n % 7}") for n in range(2_000)]
    futures = [submit(commits, CommandRequest(command)) for command in commands]
    assert [future and future.result(PATIENCE) for future in futures] == list(map(outcome_of, commands))
    assert sorted(executed, key=repr) == sorted(commands, key=repr)
    assert max(groups) > 1, "some requests shared a commit"
    assert most_running > 1, "some commits overlapped"
