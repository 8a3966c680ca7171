"""The status as text and as JSON."""

import json
from dataclasses import replace

import pytest

from allocation.adapters.postgres.checks.lags import Lag
from allocation.adapters.postgres.dead_letters import Counts
from allocation.entrypoints.status.as_json import status_as_json
from allocation.entrypoints.status.findings.find import find
from allocation.entrypoints.status.screen import screen
from allocation.entrypoints.status.status import Status, SubscriptionError, SubscriptionStatus, Unreachable
from allocation.entrypoints.status.texts import age, events, size
from tests.support.status.sound import HOLDER, NO_LAG, REDIS, SOUND, STALE, with_database

HEALTHY = """\
allocation 1.0, 2026-11-26 03:00:00 UTC
PostgreSQL        18.6: 120 MB, 14 of 100 sessions
Redis             valkey 9.1.2: 11 MB without a limit, 4,800 keys, noeviction,
                  up for 2 h
Log               position 12,345, epoch 1
  line_allocated  up to date
  out_of_stock    up to date
Views             up to date, confirmed 0.1 s ago
  g1.2.100        live, position 12,345, about 4,700 keys, about 9.4 MB, built
                  25 h ago
  drift           0 corrected registers
Relay             1 connected; host:7 0.4 s ago
Consumer          0 connected
  commands        host:5, 1.0, up for 60 min: 1,200 commands, 2 retries,
                  connections 4/45, threads 3/24 commands

Everything works."""
ILL = replace(
    with_database(
        not_ready="another session locks a table",
        holders=(replace(HOLDER, fence=True, blocks=2, statement="SELECT '" + "x" * 190),) * 7,
        subscriptions={"out_of_stock": SubscriptionStatus(NO_LAG, SubscriptionError("No\x1b[31m mail.", 3.0, 70.0))},
        letters={"out_of_stock": Counts(1, 2, 3)},
    ),
    redis=replace(REDIS, refusal="command not allowed", absent="the read model does not exist"),
    views=Lag(10_000, 31.0, more=True),
)


def shown(status: Status, columns: int = 80) -> str:
    return screen(status, find(status, STALE), columns)


def test_screen_of_a_sound_service() -> None:
    assert shown(SOUND) == HEALTHY


@pytest.mark.parametrize(("columns", "widest"), [(20, 80), (80, 80), (100, 100), (400, 120)])
def test_lines_of_the_screen_fit_the_terminal(columns: int, widest: int) -> None:
    lines = shown(ILL, columns).splitlines()
    assert max(map(len, lines)) <= widest
    assert len(lines) < 50


def test_screen_escapes_control_characters() -> None:
    assert "\x1b" not in shown(ILL)
    assert "\\x1b[31m mail. Start the mail server" in " ".join(shown(ILL).split())


def test_screen_shows_one_store_if_the_other_is_unreachable() -> None:
    without_database = shown(replace(SOUND, database=Unreachable("connection refused"), views=None))
    assert "PostgreSQL        can't be reached: connection refused" in without_database
    assert "valkey 9.1.2" in without_database
    without_redis = shown(replace(SOUND, redis=Unreachable("connection refused"), views=None))
    assert "Redis             can't be reached: connection refused" in without_redis
    assert "position 12,345" in without_redis
    neither = shown(replace(SOUND, database=Unreachable("x"), redis=Unreachable("y"), views=None))
    assert neither.count("can't be reached") == 4


def test_screen_links_each_finding_to_its_runbook() -> None:
    assert "  See docs/operate.md#a-transaction-holds-the-fence" in shown(ILL).splitlines()


@pytest.mark.parametrize("status", [SOUND, ILL, replace(SOUND, database=Unreachable("x"), redis=Unreachable("y"))])
def test_json_has_everything_that_the_screen_shows(status: Status) -> None:
    findings = find(status, STALE)
    found = json.loads(json.dumps(status_as_json(status, findings)))
    assert [one["problem"] for one in found["findings"]] == [one.problem for one in findings]
    assert set(found) == {"findings", "version", "at", "database", "redis", "views"}


def test_json_names_the_members_of_every_part() -> None:
    found = status_as_json(ILL, find(ILL, STALE))
    assert found["views"] == {"events": 10_000, "seconds": 31.0, "more": True}
    assert found["database"]["letters"] == {"out_of_stock": {"dead": 1, "waiting": 2, "retrying": 3}}
    assert found["redis"]["generations"][0]["size"] == {"keys": 4_700, "bytes": 9_400_000, "exact": False}
    assert found["findings"][0]["runbook"] == "docs/operate.md#a-product-is-locked"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 d")],
)
def test_age_has_the_unit_of_its_magnitude(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (12_345_678, "12 MB"), (5e15, "5000 TB")],
)
def test_size_has_the_unit_of_its_magnitude(number: float, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("lag", "text"),
    [
        (Lag(0, 0.0), "up to date"),
        (Lag(1, 12.0), "1 event, the oldest 12 s old"),
        (Lag(10_000, 31.0, more=True), "more than 10,000 events, the oldest 31 s old"),
        (Lag(0, 0.0, more=True), "more than 0 events"),
    ],
)
def test_lag_is_described_in_events_and_seconds(lag: Lag, text: str) -> None:
    assert events(lag) == text
