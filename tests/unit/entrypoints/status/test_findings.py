"""Each kind of trouble is one finding, from its threshold on."""

from dataclasses import replace

import pytest

from allocation.adapters.postgres.checks.lags import Lag
from allocation.adapters.postgres.dead_letters import Counts
from allocation.entrypoints.status.findings.find import find
from allocation.entrypoints.status.findings.processes import INTERRUPTED
from allocation.entrypoints.status.findings.readers import SUBSCRIPTION_LAGS
from allocation.entrypoints.status.findings.stores import DRIFT_IS_NEW
from allocation.entrypoints.status.runbooks import Runbook
from allocation.entrypoints.status.status import Status, Unreachable
from readmodel.store.records.drift import Drift
from readmodel.store.records.signs_of_life import HANGS_AFTER
from readmodel.store.status.roles import RoleStatus
from tests.support.status.sound import (
    HOLDER,
    SERVER,
    SOUND,
    STALE,
    with_database,
    with_error,
    with_figures,
    with_lag,
    with_redis,
    with_redis_server,
    with_role,
)

LATE = HANGS_AFTER + 1
MEMORY = {"most_bytes": 1_000, "policy": "noeviction"}
TROUBLES = {
    "PostgreSQL can't be reached": (replace(SOUND, database=Unreachable("refused")), Runbook.POSTGRES_UNREACHABLE),
    "the disk is full": (with_database(not_ready="the disk of the database is full"), Runbook.DISK_FULL),
    "not migrated": (with_database(not_ready="the database is not migrated"), Runbook.COMMANDS_FAIL),
    "read-only": (with_database(not_ready="the database is read-only"), Runbook.POSTGRES_UNREACHABLE),
    "no privilege": (with_database(not_ready="the database refuses access: no privilege"), Runbook.COMMANDS_FAIL),
    "a locked table": (with_database(not_ready="another session locks a table"), Runbook.PRODUCT_LOCKED),
    "PostgreSQL is slow": (with_database(not_ready="the database can't be reached"), Runbook.POSTGRES_UNREACHABLE),
    "no free session": (with_database(server=replace(SERVER, sessions=91)), Runbook.BUSY),
    "Redis can't be reached": (replace(SOUND, redis=Unreachable("refused")), Runbook.REDIS_UNREACHABLE),
    "Redis refuses writes": (with_redis(refusal="command not allowed"), Runbook.REDIS_FULL),
    "Redis is nearly full": (with_redis_server(bytes=901, **MEMORY), Runbook.REDIS_FULL),
    "Redis evicts": (with_redis_server(bytes=1, most_bytes=1_000, policy="allkeys-lru"), Runbook.REDIS_FULL),
    "Redis can't save": (with_redis_server(faults=("The last save of Redis failed",)), Runbook.REDIS_FULL),
    "no relay": (with_role("relay", RoleStatus(0, {"host:7": INTERRUPTED})), Runbook.RELAY_ABSENT),
    "an interrupted relay": (with_role("relay", RoleStatus(0, {"host:7": 0.1})), Runbook.RELAY_ABSENT),
    "the relay hangs": (with_role("relay", RoleStatus(1, {"host:7": LATE})), Runbook.RELAY_HANGS),
    "the relay never worked": (with_role("relay", RoleStatus(1, {})), Runbook.RELAY_HANGS),
    "one relay hangs": (with_role("relay", RoleStatus(2, {"host:8": 0.1, "host:7": LATE})), Runbook.RELAY_HANGS),
    "no consumer": (with_role("consumer", RoleStatus(0, {"host:9": 60.0})), Runbook.CONSUMER_ABSENT),
    "the consumer hangs": (with_role("consumer", RoleStatus(1, {"host:9": LATE})), Runbook.CONSUMER_ABSENT),
    "the fence": (with_database(holders=(replace(HOLDER, fence=True),)), Runbook.FENCE),
    "a locked product": (with_database(holders=(replace(HOLDER, blocks=3),)), Runbook.PRODUCT_LOCKED),
    "a held product": (with_database(holders=(replace(HOLDER, seconds=None),)), Runbook.PRODUCT_LOCKED),
    "no views": (with_redis(absent="the read model does not exist"), Runbook.VIEWS_LAG),
    "suspect views": (with_redis(warning="suspect"), Runbook.VIEWS_LAG),
    "unconfirmed views": (with_redis(warning="behind; seconds=9", confirmed=9.0), Runbook.VIEWS_LAG),
    "views that lag": (replace(SOUND, views=Lag(1, STALE + 0.1)), Runbook.VIEWS_LAG),
    "a late announcement": (with_lag("line_allocated", Lag(2, SUBSCRIPTION_LAGS + 1)), Runbook.SUBSCRIPTION),
    "a late mail": (with_lag("out_of_stock", Lag(2, SUBSCRIPTION_LAGS + 1)), Runbook.MAIL),
    "a failing announcement": (with_error("line_allocated", 0.5), Runbook.SUBSCRIPTION),
    "a failing mail": (with_error("out_of_stock", 70.0), Runbook.MAIL),
    "a dead letter": (with_database(letters={"line_allocated": Counts(1, 2, 0)}), Runbook.DEAD_LETTER),
    "no free thread": (with_figures(allocation_threads_in_use=24), Runbook.BUSY),
    "no free connection": (with_figures(allocation_database_connections_in_use=45), Runbook.BUSY),
    "drift": (with_redis(drift=Drift(2, DRIFT_IS_NEW - 1)), Runbook.DRIFT),
}
SOUND_ENOUGH = {
    "nothing": SOUND,
    "enough sessions": with_database(server=replace(SERVER, sessions=90)),
    "memory below the threshold": with_redis_server(bytes=900, **MEMORY),
    "a policy without a limit": with_redis_server(policy="allkeys-lru"),
    "a relay at its last moment": with_role("relay", RoleStatus(1, {"host:7": HANGS_AFTER})),
    "a relay that has ended beside one that works": with_role("relay", RoleStatus(1, {"host:8": 0.1, "host:7": LATE})),
    "a relay of which Redis shows less": with_role("relay", RoleStatus(None, {"host:7": 0.1})),
    "a consumer that never existed": with_role("consumer", RoleStatus(0, {})),
    "views of the last moment": replace(SOUND, views=Lag(900, STALE - 0.1)),
    "views whose lag is unknown": replace(SOUND, views=None),
    "a subscription at work": with_lag("out_of_stock", Lag(900, SUBSCRIPTION_LAGS - 1)),
    "a subscription of another release": with_lag("newer", None),
    "a subscription that works again": with_error("out_of_stock", None),
    "a letter that is retried": with_database(letters={"line_allocated": Counts(0, 2, 1)}),
    "one free thread": with_figures(allocation_threads_in_use=23, allocation_database_connections_in_use=44),
    "old drift": with_redis(drift=Drift(2, DRIFT_IS_NEW)),
    "drift from before this release": with_redis(drift=Drift(2, None)),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_a_trouble_is_one_finding_with_its_runbook(name: str) -> None:
    status, runbook = TROUBLES[name]
    [found] = find(status, STALE)
    assert found.runbook == runbook


@pytest.mark.parametrize("name", SOUND_ENOUGH)
def test_a_sound_state_is_no_finding(name: str) -> None:
    assert find(SOUND_ENOUGH[name], STALE) == []


@pytest.mark.parametrize("status", [status for status, _ in TROUBLES.values()], ids=list(TROUBLES))
def test_a_finding_consists_of_two_sentences(status: Status) -> None:
    [found] = find(status, STALE)
    for sentence in (found.problem, found.what_to_do):
        assert sentence[0].isupper() or sentence[0].isdigit()
        assert sentence[-1] not in ". :,"


def test_every_runbook_has_a_finding() -> None:
    assert {runbook for _, runbook in TROUBLES.values()} == set(Runbook)


NO_RELAY = with_role("relay", RoleStatus(0, {"host:7": 1.0})).redis
NO_RELAY_FOR_LONG = with_role("relay", RoleStatus(0, {"host:7": LATE})).redis


@pytest.mark.parametrize("trouble", ["PostgreSQL can't be reached", "the disk is full", "read-only"])
def test_a_relay_that_waits_for_postgresql_is_no_finding(trouble: str) -> None:
    """It subscribes only while it works, but it shows signs of life."""
    status, runbook = TROUBLES[trouble]
    assert [found.runbook for found in find(replace(status, redis=NO_RELAY), STALE)] == [runbook]
    found = find(replace(status, redis=NO_RELAY_FOR_LONG), STALE)
    assert [one.runbook for one in found] == [runbook, Runbook.RELAY_ABSENT]


def test_nothing_is_known_of_processes_if_redis_refuses_writes() -> None:
    """They can't show signs of life."""
    roles = {"relay": RoleStatus(0, {"host:7": LATE}), "consumer": RoleStatus(1, {"host:9": LATE})}
    [found] = find(with_redis(refusal="command not allowed when used memory > 'maxmemory'.", roles=roles), STALE)
    assert found.problem == "Redis refuses writes: command not allowed when used memory > 'maxmemory'"


def test_findings_name_the_cause_before_its_effects() -> None:
    status = replace(with_role("relay", RoleStatus(0, {})), views=Lag(3, 60.0))
    assert [found.runbook for found in find(status, STALE)] == [Runbook.RELAY_ABSENT, Runbook.VIEWS_LAG]


def test_a_finding_says_how_many_sessions_wait() -> None:
    [found] = find(with_database(holders=(replace(HOLDER, blocks=1),)), STALE)
    assert found.problem == "A transaction of process 4711, open for 42 s, holds a lock, and 1 session waits for it"
    assert found.what_to_do == "End it: SELECT pg_terminate_backend(4711)"
    [found] = find(with_database(holders=(replace(HOLDER, state="active", fence=True),)), STALE)
    assert found.what_to_do == "If its work is not needed, end it: SELECT pg_terminate_backend(4711)"


def test_several_holders_are_one_finding_for_each_effect() -> None:
    fence, idle, blocks = replace(HOLDER, fence=True), replace(HOLDER, pid=2), replace(HOLDER, pid=3, blocks=3)
    first, second = find(with_database(holders=(fence, idle, fence, blocks)), STALE)
    assert "process 4711 (the first of 2), open for 42 s, holds the fence" in first.problem
    assert "process 3 (the first of 2), open for 42 s, holds a lock, and 3 sessions wait for it" in second.problem


def test_a_finding_tells_an_interrupted_relay_from_a_missing_one() -> None:
    [found] = find(TROUBLES["no relay"][0], STALE)
    assert found.problem == "No relay runs"
    [found] = find(TROUBLES["an interrupted relay"][0], STALE)
    assert found.problem == "The relay is interrupted"


def test_a_finding_counts_the_relays_that_hang() -> None:
    [found] = find(TROUBLES["one relay hangs"][0], STALE)
    assert found.problem == "Of 2 relays, 1 shows no sign of life"
    [found] = find(TROUBLES["the relay hangs"][0], STALE)
    assert found.problem == "The relay hangs: it has shown no sign of life for 31 s"
