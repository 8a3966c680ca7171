"""Reads from PostgreSQL what `allocation status` shows."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Engine, text

from allocation.adapters.postgres.checks.holders import read_holders
from allocation.adapters.postgres.checks.lags import Lag, lag, subscription_lags
from allocation.adapters.postgres.checks.readiness import reason_not_ready
from allocation.adapters.postgres.checks.server_status import read_server
from allocation.adapters.postgres.dead_letters import Counts, counts
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.log.fence import last_position_and_fence
from allocation.adapters.postgres.log.history import read_history
from allocation.adapters.postgres.subscriptions import SubscriptionState, subscription_states
from allocation.entrypoints.status.status import DatabaseStatus, LogStatus, SubscriptionError, SubscriptionStatus
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable

T = TypeVar("T")

READ_NOW = text("SELECT clock_timestamp()")
TIMEOUTS = {"lock_timeout": "500ms", "statement_timeout": "2s", "idle_in_transaction_session_timeout": "5s"}
"""Somebody waits for the status, and it must not hold back others."""


class Database:
    """PostgreSQL, as the status reads it. The methods raise RetryableError and StoreUnavailable."""

    def __init__(self, engine: Engine, types_of: Mapping[str, Sequence[str]]) -> None:
        self._engine = engine
        self._types_of = types_of

    def read(self) -> DatabaseStatus:
        """Read each part in a transaction of its own. So a part that fails does not hide the others."""
        server = read_server(self._engine)
        return DatabaseStatus(
            server,
            reason_not_ready(self._engine),
            answered(self._log),
            answered(self._subscriptions) or {},
            answered(self._letters) or {},
            tuple(answered(lambda: read_holders(self._engine)) or ()),
        )

    def lag_of_views(self, cursor: int, fence: int) -> Lag:
        with translated_errors(), self._engine.connect() as connection:
            return lag(connection, cursor, fence)

    def _log(self) -> LogStatus:
        with translated_errors(), self._engine.connect() as connection:
            position, fence = last_position_and_fence(connection)
            history = read_history(connection)
            return LogStatus(position, fence, history.epoch, history.identity)

    def _subscriptions(self) -> dict[str, SubscriptionStatus]:
        with translated_errors(), self._engine.connect() as connection:
            lags = subscription_lags(connection, self._types_of)
            now: datetime = connection.execute(READ_NOW).scalar_one()
            return {
                state.name: SubscriptionStatus(lags.get(state.name), error_in(state, now))
                for state in subscription_states(connection)
            }

    def _letters(self) -> dict[str, Counts]:
        with translated_errors(), self._engine.connect() as connection:
            return counts(connection)


def error_in(state: SubscriptionState, now: datetime) -> SubscriptionError | None:
    if state.last_error is None or state.last_error_at is None:
        return None
    failing = None if state.failing_since is None else seconds_between(state.failing_since, now)
    return SubscriptionError(" ".join(state.last_error.split()), seconds_between(state.last_error_at, now), failing)


def seconds_between(moment: datetime, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds())


def answered(read: Callable[[], T]) -> T | None:
    """Return what `read` returns, or None if the server does not answer. The readiness check has the reason then."""
    try:
        return read()
    except (RetryableError, StoreUnavailable):
        return None
