"""If a group commit fails, each of its requests runs alone. A locked row delays only the requests that name it."""

import threading

import pytest

from allocation.domain.commands import Allocate
from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.outcomes import Outcome
from allocation.service_layer.unit_of_work import Busy, StoreUnavailable
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.service_layer.commits import RAN_ALONE, Commits, line, outcome_of


def test_requests_run_alone_after_their_group_fails(commits: Commits, caplog: pytest.LogCaptureFixture) -> None:
    with commits.running(line(0)):
        futures = commits.send(line(1), line(2))
        commits.failures = [Busy("locked"), ZeroDivisionError()]
    assert [future.result(PATIENCE) for future in futures] == [RAN_ALONE] * 2
    assert sorted(map(repr, commits.alone)) == [repr(line(n)) for n in range(3)]
    assert "A group of 2 commands failed" in caplog.text


def test_requests_run_alone_after_the_store_fails_them(commits: Commits) -> None:
    with commits.running(line(0)):
        futures = commits.send(line(1), line(2))
        commits.failures = [StoreUnavailable("unreachable"), StoreUnavailable("it lost every race")]
        first = commits.groups[0]
    assert first == [line(0)]
    assert [future.result(PATIENCE) for future in futures] == [RAN_ALONE] * 2


def test_error_of_a_lone_request_is_its_outcome(commits: Commits) -> None:
    commits.failures = [ZeroDivisionError()]
    assert isinstance(commits.execute(line(1)), ZeroDivisionError)
    assert commits.alone == []


def test_group_gets_outcomes_when_its_leader_dies(commits: Commits) -> None:
    with commits.running(line(0)):
        leader, *others = commits.send(line(1), line(2), line(3))
        commits.failures = [Busy("locked"), SystemExit()]
    assert [future.result(PATIENCE) for future in others] == [RAN_ALONE] * 2
    assert isinstance(leader.exception(PATIENCE), SystemExit)
    assert commits.execute(line(4)) == outcome_of(line(4)), "the lane still works"


def test_sku_stays_blocked_while_its_product_is_locked(commits: Commits) -> None:
    commits.run_alone = lambda request: Busy("still locked")
    commits.failures = [Busy("locked")]
    assert [type(future.result(PATIENCE)) for future in commits.send(line(1, "LOCKED"))] == [Busy]
    assert isinstance(commits.execute(line(2, "LOCKED")), Busy)
    assert commits.groups == [[line(1, "LOCKED")]], "only the first request tried to share a commit"
    commits.run_alone = lambda request: RAN_ALONE
    assert commits.execute(line(3, "LOCKED")) == RAN_ALONE
    assert commits.execute(line(4, "LOCKED")) == outcome_of(line(4, "LOCKED")), "the SKU is no longer blocked"


def test_requests_for_a_blocked_sku_delay_no_others(commits: Commits) -> None:
    unlocked = threading.Event()

    def wait_for_the_lock(request: CommandRequest) -> Outcome:
        if isinstance(request.command, Allocate) and request.command.sku == "LOCKED":
            assert unlocked.wait(PATIENCE)
        return RAN_ALONE

    commits.run_alone = wait_for_the_lock
    commits.failures = [Busy("locked")]
    [first] = commits.send(line(1, "LOCKED"))
    eventually(lambda: commits.alone == [line(1, "LOCKED")])
    [second] = commits.send(line(2, "LOCKED"))
    assert commits.groups == [[line(1, "LOCKED")]], "the second request did not try to share a commit"
    assert commits.execute(line(3)) == outcome_of(line(3)), "a request for another SKU does not wait"
    unlocked.set()
    assert [first.result(PATIENCE), second.result(PATIENCE)] == [RAN_ALONE] * 2
    assert commits.execute(line(4, "LOCKED")) == outcome_of(line(4, "LOCKED")), "the SKU is no longer blocked"


def test_no_sku_stays_blocked_after_its_requests_succeed(commits: Commits) -> None:
    with commits.running(line(0)):
        futures = commits.send(line(1, "A"), line(2, "B"))
        commits.failures = [Busy("locked")] * 2
    assert [future.result(PATIENCE) for future in futures] == [RAN_ALONE] * 2
    assert commits.group_commit._blocked == frozenset()
