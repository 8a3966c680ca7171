"""Requests that arrive during a commit share the next one, as far as they may."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil

import pytest

from allocation.domain.commands import AllocateOrder, Command, CreateBatch
from allocation.domain.errors import UnknownSku
from allocation.service_layer import group_commit
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.group_commit import GroupCommit
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.outcomes import Done, Outcome
from tests.support.patience import PATIENCE
from tests.support.service_layer.commits import RAN_ALONE, Commits, line, outcome_of


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
        assert commits.groups == [[line(0)], [CreateBatch("b1", "S", 1)]]
        assert not future.done()
    assert future.result(PATIENCE) == outcome_of(CreateBatch("b1", "S", 1))


def test_command_over_several_products_runs_alone(commits: Commits) -> None:
    order = AllocateOrder("o1", (("S", 1), ("T", 1)))
    with commits.running(AllocateOrder("o2", (("S", 1),))):
        [future] = commits.send(order)
        assert future.result(PATIENCE) == RAN_ALONE
    assert commits.alone == [order]


def test_request_runs_alone_when_it_is_queued_too_long(commits: Commits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "LONGEST_QUEUEING", 0.05)
    with commits.running(line(0)):
        futures = commits.send(line(1), line(2))
        assert [future.result(PATIENCE) for future in futures] == [RAN_ALONE] * 2
    assert commits.groups == [[line(0)]]


def test_each_request_is_executed_once_when_many_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "LONGEST_QUEUEING", 0.001)
    executed, lock = list[Command](), threading.Lock()

    def execute(commands: Sequence[Command]) -> None:
        with lock:
            executed.extend(commands)
        # Some commits end before LONGEST_QUEUEING, others after it.
        threading.Event().wait(0.0005 * (len(executed) % 5))

    def commit_group(group: Sequence[CommandRequest]) -> Sequence[Outcome]:
        execute([request.command for request in group])
        groups.append(len(group))
        return [outcome_of(request.command) for request in group]

    def execute_alone(request: CommandRequest) -> Outcome:
        execute([request.command])
        left.append(request)
        return outcome_of(request.command)

    groups, left = list[int](), list[CommandRequest]()
    commits = GroupCommit(commit_group, execute_alone, 5)
    commands = [line(n) for n in range(2_000)]
    with ThreadPoolExecutor(24) as pool:
        outcomes = list(pool.map(lambda command: commits.execute(CommandRequest(command)), commands))
    assert outcomes == list(map(outcome_of, commands))
    assert sorted(executed, key=repr) == sorted(commands, key=repr)
    assert max(groups) > 1, "some requests shared a commit"
    assert left, "some requests left their lane"
