"""A failure or a held lock affects only the requests that it concerns."""

import pytest

from allocation.service_layer.command_requests import CommandRequest
from allocation.service_layer.concurrency import lock_waiters
from allocation.service_layer.concurrency.lock_waiters import MOST
from allocation.service_layer.idempotency import IdempotencyKey, StillRunning
from allocation.service_layer.unit_of_work import Busy, StoreUnavailable
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.service_layer.commits import Commits, line, outcome_of


def test_requests_run_alone_after_their_group_fails(commits: Commits, caplog: pytest.LogCaptureFixture) -> None:
    with commits.running(line(0)):
        futures = commits.send(line(1), line(2))
        commits.failures = [ZeroDivisionError(), ZeroDivisionError()]
    assert [future.result(PATIENCE) for future in futures] == [outcome_of(line(n)) for n in (1, 2)]
    assert commits.groups == [[line(0)], [line(1), line(2)], [line(1)], [line(2)]]
    assert "A group of 2 commands failed" in caplog.text


def test_requests_share_the_failure_of_the_store(commits: Commits) -> None:
    with commits.running(line(0)):
        futures = commits.send(line(1), line(2))
        commits.failures = [StoreUnavailable("unreachable"), StoreUnavailable("still unreachable")]
    assert [str(future.result(PATIENCE)) for future in futures] == ["still unreachable"] * 2


def test_error_of_a_lone_request_is_its_outcome(commits: Commits) -> None:
    commits.failures = [ZeroDivisionError()]
    assert isinstance(commits.execute(line(1)), ZeroDivisionError)
    assert commits.groups == [[line(1)]]


def test_group_fails_when_its_thread_must_end(commits: Commits) -> None:
    with commits.running(line(0)):
        futures = commits.send(line(1), line(2), line(3))
        commits.failures = [ZeroDivisionError(), SystemExit()]
    assert [repr(future.result(PATIENCE)) for future in futures] == [
        "RuntimeError('A lane was interrupted by SystemExit()')"
    ] * 3
    assert commits.execute(line(4)) == outcome_of(line(4)), "the lane still works"


def test_a_client_that_has_gone_costs_others_no_outcome(commits: Commits, caplog: pytest.LogCaptureFixture) -> None:
    with commits.running(line(0)):
        gone, *others = commits.send(line(1), line(2), line(3))
        assert gone.cancel()
    assert [future.result(PATIENCE) for future in others] == [outcome_of(line(2)), outcome_of(line(3))]
    assert "A client did not get the outcome of its command" in caplog.text


def test_a_held_product_delays_only_its_own_requests(commits: Commits) -> None:
    commits.held = {"HELD"}
    with commits.running(line(0)):
        held, *others = commits.send(line(1, "HELD"), line(2, "A"), line(3, "B"))
    assert [future.result(PATIENCE) for future in others] == [outcome_of(line(2, "A")), outcome_of(line(3, "B"))]
    assert sorted(commits.groups[2:], key=repr) == sorted(
        [[line(2, "A")], [line(3, "B")], [line(1, "HELD")], [line(1, "HELD")]], key=repr
    )
    eventually(lambda: commits.waited == [line(1, "HELD")])
    before = len(commits.groups)
    [second] = commits.send(line(4, "HELD"))
    assert len(commits.groups) == before, "the second request did not try to share a commit"
    assert commits.execute(line(5)) == outcome_of(line(5)), "a request for another SKU does not wait"
    commits.held.clear()
    commits.released.set()
    assert [held.result(PATIENCE), second.result(PATIENCE)] == [outcome_of(line(n, "HELD")) for n in (1, 4)]
    assert commits.execute(line(6, "HELD")) == outcome_of(line(6, "HELD")), "the SKU is no longer blocked"
    assert commits.groups[-1] == [line(6, "HELD")]


def test_few_requests_wait_for_held_products(commits: Commits) -> None:
    commits.held = {"HELD", "ANOTHER"}
    waiting = commits.send(*(line(n, "HELD") for n in range(MOST)))
    eventually(lambda: len(commits.waited) == MOST)
    assert isinstance(commits.execute(line(10, "HELD")), Busy), "it fails at once"
    assert isinstance(commits.execute(line(11, "ANOTHER")), Busy), "all threads wait"
    assert not any(future.done() for future in waiting)
    assert commits.execute(line(12)) == outcome_of(line(12)), "another product needs none of these threads"
    commits.held.clear()
    commits.released.set()
    assert [future.result(PATIENCE) for future in waiting] == [outcome_of(line(n, "HELD")) for n in range(MOST)]
    eventually(lambda: commits.execute(line(13, "ANOTHER")) == outcome_of(line(13, "ANOTHER")))


def test_a_block_without_a_waiting_thread_ends(commits: Commits, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a product stayed blocked after its lock, while requests for another product use all threads."""
    commits.held = {"HELD", "FREED"}
    waiting = commits.send(*(line(n, "HELD") for n in range(MOST)))
    eventually(lambda: len(commits.waited) == MOST)
    assert isinstance(commits.execute(line(10, "FREED")), Busy)
    commits.held.remove("FREED")
    assert isinstance(commits.execute(line(10, "FREED")), Busy), "it is still blocked"
    monkeypatch.setattr(lock_waiters, "FORGOTTEN_AFTER", 0)
    assert commits.execute(line(10, "FREED")) == outcome_of(line(10, "FREED"))
    assert isinstance(commits.execute(line(11, "HELD")), Busy), "threads wait for it"
    assert not any(future.done() for future in waiting)


def test_sku_stays_blocked_while_its_product_is_held(commits: Commits) -> None:
    commits.released.set()
    commits.held = {"HELD"}
    assert isinstance(commits.execute(line(1, "HELD")), Busy)
    assert isinstance(commits.execute(line(2, "HELD")), Busy)
    assert commits.groups == [[line(1, "HELD")]] * 3, "only the first request tried to share a commit"
    commits.held.clear()
    assert commits.execute(line(3, "HELD")) == outcome_of(line(3, "HELD"))
    assert commits.waited == [line(n, "HELD") for n in (1, 2, 3)]
    assert commits.execute(line(4, "HELD")) == outcome_of(line(4, "HELD"))
    assert commits.groups[-1] == [line(4, "HELD")], "the SKU is no longer blocked"


def test_a_held_key_blocks_no_product(commits: Commits) -> None:
    key = IdempotencyKey("- /allocate", "k", "f")
    commits.failures = [StillRunning("the key") for _ in range(3)]
    [repeated] = commits.send(line(1), key=key)
    eventually(lambda: commits.waited == [line(1)])
    assert commits.execute(line(2)) == outcome_of(line(2))
    assert not repeated.done()
    commits.failures = [StillRunning("the key")]
    commits.released.set()
    assert isinstance(repeated.result(PATIENCE), StillRunning)
    assert commits.execution.error_of(CommandRequest(line(3), key)) is not None
    [repeated] = commits.send(line(1), key=key)
    assert repeated.result(PATIENCE) == outcome_of(line(1))
    assert commits.execution.error_of(CommandRequest(line(3), key)) is None
