"""Allocates the lines of a folder's orders.csv to its batches.csv, and writes its allocations.csv."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from allocation.adapters.csv.repository import LineInDoubt
from allocation.adapters.csv.rows import Row, Rows
from allocation.adapters.csv.unit_of_work import CsvUnitOfWork, unit_of_work
from allocation.adapters.schemas.commands import LineQuantity, parse_row
from allocation.adapters.schemas.errors import InvalidCommand
from allocation.domain.commands import Allocate
from allocation.domain.errors import Refusal
from allocation.domain.events import Allocated
from allocation.service_layer.messagebus import attempt
from allocation.service_layer.unit_of_work import LockSet


class NoRoom(Exception):
    """No batch has room for the line."""


@dataclass
class Summary:
    """How many of the `lines` in orders.csv have a batch, and how many of them got it in this run (`new`).

    `short` lines found no stock. `refused` counts the bad rows of all three files.
    """

    lines: int = 0
    allocated: int = 0
    new: int = 0
    short: int = 0
    refused: int = 0


def allocate_from_csv(folder: Path, report: Callable[[str], None]) -> Summary:
    """Allocate every line that has no batch yet, in one unit of work. A second run changes nothing.

    `report` gets the place and the reason for each row that is short or bad. Raises StoreUnavailable, BadFile: nothing
    has changed.
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
            except (InvalidCommand, LineInDoubt, NoRoom, Refusal) as reason:
                summary.short += isinstance(reason, NoRoom)
                summary.refused += not isinstance(reason, NoRoom)
                report(f"{rows.path}, line {row.line}: {reason}")
        if rows.broken is not None:
            raise rows.broken
        uow.commit()
    summary.new = sum(isinstance(event, Allocated) for event in uow.changes.events)
    return summary


def allocate(row: Row, uow: CsvUnitOfWork) -> None:
    """Allocate the row's line. Raises InvalidCommand, LineInDoubt, NoRoom, Refusal."""
    wanted = parse_row(LineQuantity, row.members())
    uow.products.refuse_in_doubt([(wanted.orderid, wanted.sku)])
    outcome = attempt(Allocate(wanted.orderid, wanted.sku, wanted.qty), uow)
    if isinstance(outcome, Refusal):
        raise outcome
    line = uow.products.get_or_create(wanted.sku).lines[wanted.orderid]
    if line.batchref is None:
        raise NoRoom(f"Out of stock for {line.sku}: no batch has {line.qty} left for order {line.orderid}")
