"""Describes the changes that a unit of work would commit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from allocation.domain.events import Event, PassedOver
from allocation.domain.model import Batch, TrackedLine
from allocation.service_layer.outcomes import OrderResult
from allocation.service_layer.unit_of_work import Products, UnitOfWork


@dataclass(frozen=True, slots=True)
class PreviewedLine:
    """A line in its state after the command. `eta` is the ETA of its batch.

    `lost` is the reference of the batch that the line would lose. `why` comes from the last event of the line.
    """

    line: TrackedLine
    eta: date | None
    lost: str | None
    why: Sequence[PassedOver] | None


@dataclass(frozen=True, slots=True)
class Preview:
    """The handler's result, and the touched or repeated lines and batches in their state after the command."""

    result: OrderResult | None
    lines: Sequence[PreviewedLine]
    batches: Sequence[Batch]


def preview(result: OrderResult | None, uow: UnitOfWork) -> Preview:
    """Return the preview of a unit of work after its handler has returned `result`."""
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
    """Yield ((SKU, order id), batch reference) for each line that lost its batch.

    If an event changes a batch and its line has no batch, the line has lost that batch.
    """
    for event in events:
        if event.line is not None and event.line.batchref is None and event.batches:
            yield (event.sku, event.line.orderid), event.batches[0].ref
