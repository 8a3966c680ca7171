"""What a unit of work would change if it were committed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from allocation.domain.events import Candidate, Event
from allocation.domain.model import Batch, TrackedLine
from allocation.service_layer.outcomes import OrderOutcome
from allocation.service_layer.unit_of_work import Products, UnitOfWork


@dataclass(frozen=True, slots=True)
class PreviewedLine:
    """A line as the command would leave it.

    `lost` is the batch that the line would lose. `why` holds the batches that would have too little stock for it, the
    preferred one first.
    """

    line: TrackedLine
    eta: date | None
    lost: str | None
    why: Sequence[Candidate] | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What the handler returned, and the lines and batches that the command would touch, as they would be."""

    result: OrderOutcome | None
    lines: Sequence[PreviewedLine]
    batches: Sequence[Batch]


def preview(result: OrderOutcome | None, uow: UnitOfWork) -> Preview:
    changes = uow.changes
    rows = list({id(row): row for row in [*changes.touched, *changes.repeated]}.values())
    last_events = {(event.sku, event.line.orderid): event for event in changes.events if event.line is not None}
    lost = dict(lost_batches(changes.events))
    lines = [
        preview_line(row, uow.products, lost.get((row.sku, row.orderid)), last_events.get((row.sku, row.orderid)))
        for row in rows
        if isinstance(row, TrackedLine)
    ]
    return Preview(result, lines, [row for row in rows if isinstance(row, Batch)])


def preview_line(line: TrackedLine, products: Products, lost: str | None, last_event: Event | None) -> PreviewedLine:
    product = products.get(line.sku)
    return PreviewedLine(
        line,
        eta=product.eta_of(line) if product is not None else None,
        lost=lost if lost != line.batchref else None,
        why=last_event.why if last_event is not None else None,
    )


def lost_batches(events: Iterable[Event]) -> Iterable[tuple[tuple[str, str], str]]:
    """Return each line that lost a batch, and the batch: such an event changes a batch and leaves the line without."""
    for event in events:
        if event.line is not None and event.line.batchref is None and event.batches:
            yield (event.sku, event.line.orderid), event.batches[0].ref
