"""Of which SKUs the stock team was told, and when."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Engine, text

from allocation.adapters.errors import translated_errors
from allocation.adapters.unit_of_work import Clock, utc_now

TOLD = text("SELECT sku FROM out_of_stock_mails WHERE sku = ANY(CAST(:skus AS text[])) AND sent_at > :since")
TELL = text("""
    INSERT INTO out_of_stock_mails VALUES (:sku, :now)
    ON CONFLICT (sku) DO UPDATE SET sent_at = excluded.sent_at
""")


class ToldRecently:
    """Outlives the process, so that a relay that is started again does not tell everything again."""

    def __init__(self, engine: Engine, window: timedelta, now: Clock = utc_now) -> None:
        self._engine = engine
        self._window = window
        self._now = now

    def told(self, skus: Collection[str]) -> Collection[str]:
        wanted = {"skus": list(skus), "since": self._now() - self._window}
        with translated_errors(), self._engine.connect() as connection:
            return set(connection.execute(TOLD, wanted).scalars())

    def tell(self, sku: str) -> None:
        with translated_errors(), self._engine.begin() as connection:
            connection.execute(TELL, {"sku": sku, "now": self._now()})
