from collections.abc import Sequence

from allocation.domain.changes import Changes
from allocation.domain.events import Event, PassedOver, Totals
from allocation.domain.model import Batch, TrackedLine

UNCHANGED = Totals()


class Ledger:
    """Records a product's events. Each event increments the version by one and carries the new totals."""

    def __init__(self, sku: str, version: int, totals: Totals, changes: Changes) -> None:
        self.sku = sku
        self.version = version
        self.totals = totals
        self._changes = changes

    def record(
        self,
        event_type: type[Event],
        *,
        line: TrackedLine | None = None,
        batch: Batch | None = None,
        why: Sequence[PassedOver] | None = None,
        change: Totals = UNCHANGED,
    ) -> int:
        """Append an event with the present state of the line and the batch. Return the new version.

        Set the version of the line and the batch to the new version. Add `change` to the product's totals.
        """
        self.version += 1
        self.totals += change
        for row in (line, batch):
            if row is not None:
                row.version = self.version
                self._changes.touched.append(row)
        self._changes.events.append(
            event_type(
                sku=self.sku,
                version=self.version,
                totals=self.totals,
                batches=(batch.state,) if batch is not None else (),
                line=line.state if line is not None else None,
                why=why,
            )
        )
        return self.version

    def repeat(self, row: TrackedLine | Batch) -> None:
        """Have the commit publish the last event of the line or batch again.

        Then the client's next query shows the effect, even if the first update of the views failed.
        """
        self._changes.repeated.append(row)
