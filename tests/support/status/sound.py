"""The status of a sound service, to which a test adds one trouble."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from allocation.adapters.postgres.checks.holders import Holder
from allocation.adapters.postgres.checks.lags import Lag
from allocation.adapters.postgres.checks.server_status import DatabaseServer
from allocation.entrypoints.status.status import (
    DatabaseStatus,
    LogStatus,
    Status,
    SubscriptionError,
    SubscriptionStatus,
)
from readmodel.store.records.drift import Drift
from readmodel.store.records.process_reports import ProcessReport
from readmodel.store.status.generations import LIVE, GenerationStatus
from readmodel.store.status.roles import RoleStatus
from readmodel.store.status.server import RedisServer
from readmodel.store.status.sizes import Size
from readmodel.store.status.views import RedisStatus

STALE = 5.0
NO_LAG = Lag(0, 0.0)
SERVER = DatabaseServer("18.6", 120_000_000, 14, 100, standby=False)
DATABASE = DatabaseStatus(
    SERVER,
    None,
    LogStatus(12_345, 12_345, 1, "the log"),
    {"line_allocated": SubscriptionStatus(NO_LAG, None), "out_of_stock": SubscriptionStatus(NO_LAG, None)},
    {},
    (),
)
PROCESS = ProcessReport(
    "commands",
    "host",
    5,
    datetime(2026, 11, 26, 2, 0, tzinfo=UTC).timestamp(),
    "1.0",
    {
        'allocation_commands_total{command="allocate",result="done"}': 1_199.0,
        'allocation_commands_total{command="ship",result="refused"}': 1.0,
        'allocation_retries_total{reason="deadlock"}': 2.0,
        'allocation_threads{kind="commands"}': 24.0,
        'allocation_threads_in_use{kind="commands"}': 3.0,
        'allocation_database_connections{pool="commands"}': 45.0,
        'allocation_database_connections_in_use{pool="commands"}': 4.0,
    },
)
REDIS_SERVER = RedisServer("valkey", "9.1.2", "primary", 9_000, 12, 4_800, 11_000_000, 0, "noeviction", 0, ())
REDIS = RedisStatus(
    REDIS_SERVER,
    None,
    None,
    None,
    0.1,
    (GenerationStatus("g1.2.100", LIVE, 12_345, ("the log",), 1, 90_000.0, Size(4_700, 9_400_000, exact=False)),),
    {"relay": RoleStatus(1, {"host:7": 0.4}), "consumer": RoleStatus(0, {})},
    (PROCESS,),
    Drift(0, None),
)
SOUND = Status("1.0", datetime(2026, 11, 26, 3, 0, tzinfo=UTC), DATABASE, REDIS, NO_LAG)
HOLDER = Holder(4711, 42.0, "idle in transaction", "SELECT 1", "report", fence=False, product=True, blocks=0)


def with_database(**members: Any) -> Status:
    return replace(SOUND, database=replace(DATABASE, **members))


def with_redis(**members: Any) -> Status:
    return replace(SOUND, redis=replace(REDIS, **members))


def with_redis_server(**members: Any) -> Status:
    return with_redis(server=replace(REDIS_SERVER, **members))


def with_role(role: str, found: RoleStatus) -> Status:
    return with_redis(roles={**REDIS.roles, role: found})


def with_lag(name: str, lag: Lag | None) -> Status:
    return with_database(subscriptions={name: SubscriptionStatus(lag, None)})


def with_error(name: str, failing: float | None) -> Status:
    error = SubscriptionError("the server has refused the mail", 3.0, failing)
    return with_database(subscriptions={name: SubscriptionStatus(NO_LAG, error)})


def with_figures(**figures: float) -> Status:
    """Add figures of the process, each by the name of its metric. They have the label of the commands."""
    labels = {"allocation_threads_in_use": "kind", "allocation_database_connections_in_use": "pool"}
    added = {f'{name}{{{labels[name]}="commands"}}': value for name, value in figures.items()}
    return with_redis(processes=(replace(PROCESS, figures={**PROCESS.figures, **added}),))
