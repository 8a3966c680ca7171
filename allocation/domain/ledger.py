from collections.abc import Sequence

from allocation.domain.changes import Changes
from allocation.domain.events import Candidate, Event, Totals
from allocation.domain.model import Batch, TrackedLine

UNCHANGED = Totals()


class Ledger:
    """Records a product's events. Each event raises the version by one and carries the totals after it."""

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
        why: Sequence[Candidate] | None = None,
        change: Totals = UNCHANGED,
    ) -> int:
        """Append an event with the present state of the line and the batch. Return the new version.

        `change` is what the event adds to the product's totals.
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
        """Publish the row's last event again, so that the client that repeats a command sees the effect."""
        self._changes.repeated.append(row)
