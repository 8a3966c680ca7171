"""Allocates the order lines of a folder: its orders.csv to its batches.csv, into its allocations.csv."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from allocation.adapters.csv.repository import LineInDoubt
from allocation.adapters.csv.rows import Row, Rows, members
from allocation.adapters.csv.unit_of_work import CsvUnitOfWork, unit_of_work
from allocation.adapters.schemas import commands as bodies
from allocation.adapters.schemas.errors import BadCommand
from allocation.domain.commands import Allocate
from allocation.domain.errors import Refusal
from allocation.domain.events import Allocated
from allocation.service_layer.messagebus import attempt
from allocation.service_layer.unit_of_work import Keys


class NoRoom(Exception):
    """A line that no batch has room for."""


@dataclass
class Summary:
    """Of the `lines` of orders.csv `allocated` ones are on a batch, `placed` ones since this run; `short` ones found no
    stock. `refused` rows of the three files could not be carried out.
    """

    lines: int = 0
    allocated: int = 0
    placed: int = 0
    short: int = 0
    refused: int = 0


def allocate_from_csv(folder: Path, report: Callable[[str], None]) -> Summary:
    """Allocate every line that has no batch yet, in one unit of work; a second run changes nothing.

    `report` is told of each row of the three files that is short or refused, with its place and the reason.
    Raises StoreUnavailable, BadFile: nothing has changed.
    """
    summary = Summary()
    with unit_of_work(folder, Keys()) as uow:
        for problem in uow.products.problems:
            summary.refused += 1
            report(problem)
        rows = Rows(folder / "orders.csv", bodies.Allocate)
        for row in rows:
            summary.lines += 1
            try:
                allocate(row, uow)
                summary.allocated += 1
            except (BadCommand, LineInDoubt, NoRoom, Refusal) as reason:
                summary.short += isinstance(reason, NoRoom)
                summary.refused += not isinstance(reason, NoRoom)
                report(f"{rows.path}, line {row.line}: {reason}")
        if rows.broken is not None:
            raise rows.broken
        uow.commit()
    summary.placed = sum(isinstance(event, Allocated) for event in uow.changes.events)
    return summary


def allocate(row: Row, uow: CsvUnitOfWork) -> None:
    """Have the row's line on a batch. Raises BadCommand, LineInDoubt, NoRoom, Refusal."""
    wanted = bodies.checked(bodies.Allocate, members(row))
    uow.products.refuse_in_doubt([(wanted.orderid, wanted.sku)])
    outcome = attempt(Allocate(wanted.orderid, wanted.sku, wanted.qty), uow)
    if isinstance(outcome, Refusal):
        raise outcome
    product = uow.products.get_or_create(wanted.sku)
    if product.lines[wanted.orderid].batchref is None:
        raise NoRoom(f"Out of stock for {wanted.sku}: no batch has {wanted.qty} left for order {wanted.orderid}")
