"""The state of the whole service, as one look has found it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from allocation.adapters.postgres.checks.holders import Holder
from allocation.adapters.postgres.checks.lags import Lag
from allocation.adapters.postgres.checks.server_status import DatabaseServer
from allocation.adapters.postgres.dead_letters import Counts
from readmodel.store.status.views import RedisStatus


@dataclass(frozen=True)
class Unreachable:
    """A store that could not be read, and the reason."""

    reason: str


@dataclass(frozen=True)
class LogStatus:
    """The end of the log: the last assigned position, and the fence. `identity` and `epoch` name its history."""

    position: int
    fence: int
    epoch: int
    identity: str


@dataclass(frozen=True)
class SubscriptionError:
    """The last error of a subscription, and the seconds since. `failing` is how long it has failed; None: it works."""

    text: str
    seconds: float
    failing: float | None


@dataclass(frozen=True)
class SubscriptionStatus:
    """`lag` is None if this release does not know the subscription. `error` is None if it has never failed."""

    lag: Lag | None
    error: SubscriptionError | None


@dataclass(frozen=True)
class DatabaseStatus:
    """What PostgreSQL knows. A part is None, or empty, if the server does not answer for it.

    - `not_ready`: why commands get a 503, or None
    - `subscriptions`: the status of each subscription
    - `letters`: the dead letters of each subscription, of the views and of the consumer's channel
    - `holders`: the sessions that hold back others, the oldest first
    """

    server: DatabaseServer
    not_ready: str | None
    log: LogStatus | None
    subscriptions: Mapping[str, SubscriptionStatus]
    letters: Mapping[str, Counts]
    holders: tuple[Holder, ...]


@dataclass(frozen=True)
class Status:
    """`views` is the lag of the views, or None if it is unknown: it needs both stores, and one history in both."""

    version: str
    at: datetime
    database: DatabaseStatus | Unreachable
    redis: RedisStatus | Unreachable
    views: Lag | None
