"""Allocates the order lines in orders.csv to the batches in batches.csv, and writes allocations.csv."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from allocation.adapters.csv.repository import LineInDoubt
from allocation.adapters.csv.rows import Row, Rows
from allocation.adapters.csv.unit_of_work import CsvUnitOfWork, unit_of_work
from allocation.adapters.schemas.commands import LineQuantity, parse_row
from allocation.adapters.schemas.errors import InvalidInput
from allocation.domain.commands import Allocate
from allocation.domain.errors import Refusal
from allocation.domain.events import Allocated
from allocation.service_layer.messagebus import run_handler
from allocation.service_layer.products_of import get_product
from allocation.service_layer.unit_of_work import LockSet


class NoRoom(Exception):
    """No batch has room for the order line."""


@dataclass
class Summary:
    """The counts of a run.

    - `lines`: the rows of orders.csv
    - `allocated`: the rows whose order line has a batch
    - `new`: the order lines that got their batch in this run
    - `short`: the rows whose order line fits on no batch
    - `refused`: the bad rows of all three files
    """

    lines: int = 0
    allocated: int = 0
    new: int = 0
    short: int = 0
    refused: int = 0


def allocate_from_csv(
    folder: Path, report: Callable[[str], None], done: Callable[[], object] = lambda: None
) -> Summary:
    """Allocate each order line that has no batch yet, in one unit of work. A second run changes nothing.

    `report` receives a message with the place and the reason for each short or bad row. Call `done` after each row of
    orders.csv. Raise BadFile if orders.csv is
    unreadable, and StoreUnavailable if the folder or another file is unusable. In both cases, the files are unchanged,
    unless only the last sync of allocations.csv failed.
    """
    summary = Summary()
    with unit_of_work(folder, LockSet()) as uow:
        for problem in uow.products.problems:
            summary.refused += 1
            report(problem)
        rows = Rows(folder / "orders.csv", LineQuantity)
        for row in rows:
            summary.lines += 1
            try:
                allocate(row, uow)
                summary.allocated += 1
            except (InvalidInput, LineInDoubt, NoRoom, Refusal) as reason:
                summary.short += isinstance(reason, NoRoom)
                summary.refused += not isinstance(reason, NoRoom)
                report(f"{rows.path}, line {row.number}: {reason}")
            done()
        if rows.broken is not None:
            raise rows.broken
        uow.commit()
    summary.new = sum(isinstance(event, Allocated) for event in uow.changes.events)
    return summary


def allocate(row: Row, uow: CsvUnitOfWork) -> None:
    """Allocate the order line in the row. Raise InvalidInput, LineInDoubt, NoRoom or a Refusal if that fails."""
    wanted = parse_row(LineQuantity, row.members())
    uow.products.refuse_in_doubt([(wanted.orderid, wanted.sku)])
    outcome = run_handler(Allocate(wanted.orderid, wanted.sku, wanted.qty), uow)
    if isinstance(outcome, Refusal):
        raise outcome
    line = get_product(wanted.sku, uow.products).lines[wanted.orderid]
    if line.batchref is None:
        raise NoRoom(f"Out of stock for {line.sku}: no batch has {line.qty} left for order {line.orderid}")
