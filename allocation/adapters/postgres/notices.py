"""Of which SKUs the stock team was told, of what, and when."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.arrays import array
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.unit_of_work import Clock, utc_now

TOLD = text("""
    SELECT sku, CASE WHEN sent_at <= :since THEN version END AS version
    FROM out_of_stock_mails WHERE sku = ANY(CAST(:skus AS text[]))
""")
TELL = text("""
    INSERT INTO out_of_stock_mails (sku, version, sent_at) VALUES (:sku, :version, :now)
    ON CONFLICT (sku) DO UPDATE SET version = excluded.version, sent_at = excluded.sent_at
""")


class ToldRecently:
    """Outlives the process, so that a relay that is started again does not tell everything again."""

    def __init__(self, engine: Engine, window: timedelta, now: Clock = utc_now) -> None:
        self._engine = engine
        self._window = window
        self._now = now

    def told(self, skus: Collection[str]) -> Mapping[str, int | None]:
        wanted = {"skus": array(skus), "since": self._now() - self._window}
        with translated_errors(), self._engine.connect() as connection:
            return {row.sku: row.version for row in connection.execute(TOLD, wanted)}

    def tell(self, sku: str, version: int) -> None:
        with translated_errors(), self._engine.begin() as connection:
            connection.execute(TELL, {"sku": sku, "version": version, "now": self._now()})
