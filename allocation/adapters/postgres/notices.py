"""The history of notices to the stock team: the version and the time of each SKU's last notice."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from sqlalchemy import Engine, text

from allocation.adapters.clock import Clock, utc_now
from allocation.adapters.postgres.driver.arrays import array
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.service_layer.unit_of_work import LoggedEvent

READ_LAST_VERSIONS = text("""
    SELECT sku, CASE WHEN sent_at <= :since THEN version END AS version
    FROM out_of_stock_mails WHERE sku = ANY(CAST(:skus AS text[]))
""")
# A failover can lose the event while the notice is being sent. Another event then has its version, and needs a notice.
RECORD_NOTICE = text("""
    INSERT INTO out_of_stock_mails (sku, version, sent_at)
    SELECT sku, version, :now FROM events WHERE sku = :sku AND version = :version AND data->>'at' = :at
    ON CONFLICT (sku) DO UPDATE SET version = excluded.version, sent_at = excluded.sent_at
""")


class SqlNoticeHistory:
    """Stores the history in PostgreSQL, so that a restarted relay does not repeat its notices.

    After a notice, the SKU gets no other notice during `window`. The methods raise RetryableError and StoreUnavailable.
    """

    def __init__(self, engine: Engine, window: timedelta, now: Clock = utc_now) -> None:
        self._engine = engine
        self._window = window
        self._now = now

    def last_versions(self, skus: Collection[str]) -> Mapping[str, int | None]:
        wanted = {"skus": array(skus), "since": self._now() - self._window}
        with translated_errors(), self._engine.connect() as connection:
            return {row.sku: row.version for row in connection.execute(READ_LAST_VERSIONS, wanted)}

    def record(self, event: LoggedEvent) -> None:
        name = {member: event[member] for member in ("sku", "version", "at")}
        with translated_errors(), self._engine.begin() as connection:
            connection.execute(RECORD_NOTICE, name | {"now": self._now()})
