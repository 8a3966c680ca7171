"""Which refusals each command may get. A test compares the table with what the rules refuse."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from allocation.domain import commands, errors
from allocation.domain.commands import Command
from allocation.domain.errors import OrderShort, Refusal, ShortLine
from allocation.domain.model import OrderLine
from allocation.entrypoints.http.responses import message_of, problem_members, status_of

ORDERID, SKU, REF = "order-1", "RED-CHAIR", "ship-1"


class RefusalText(NamedTuple):
    """What a refusal means, and an example of it."""

    meaning: str
    example: Refusal


REFUSALS: dict[type[Refusal], RefusalText] = {
    errors.UnknownSku: RefusalText("The SKU never had a batch", errors.UnknownSku(SKU)),
    errors.UnknownLine: RefusalText("There is no such line", errors.UnknownLine(ORDERID, SKU)),
    errors.UnknownOrder: RefusalText("There is no such order", errors.UnknownOrder(ORDERID)),
    errors.UnknownBatch: RefusalText("There is no such batch", errors.UnknownBatch(REF)),
    errors.LineConflict: RefusalText(
        "The line exists with another quantity", errors.LineConflict(ORDERID, SKU, qty=10, existing_qty=5)
    ),
    errors.BatchConflict: RefusalText("The batch was created with other data", errors.BatchConflict(REF)),
    errors.LineShipped: RefusalText("The line was shipped", errors.LineShipped(ORDERID, SKU)),
    errors.LineDeallocated: RefusalText("The line was deallocated", errors.LineDeallocated(ORDERID, SKU)),
    errors.LineNotAllocated: RefusalText("The line has no batch", errors.LineNotAllocated(ORDERID, SKU, "waiting")),
    errors.OrderShipped: RefusalText("A line of the order was shipped", errors.OrderShipped(ORDERID, [SKU])),
    errors.BatchShipped: RefusalText("More units than that were shipped", errors.BatchShipped(REF, qty=2, shipped=5)),
    errors.OrderShort: RefusalText(
        "With `all_or_nothing`, a line would have no batch",
        OrderShort(ORDERID, [ShortLine(OrderLine(ORDERID, SKU, 10), "No batch has 10 left")]),
    ),
}

REFUSED: dict[type[Command], Sequence[type[Refusal]]] = {
    commands.CreateBatch: [errors.BatchConflict],
    commands.ChangeBatchQuantity: [errors.UnknownBatch, errors.BatchShipped],
    commands.ChangeBatchEta: [errors.UnknownBatch],
    commands.Allocate: [errors.UnknownSku, errors.LineConflict],
    commands.Deallocate: [errors.UnknownLine, errors.LineShipped],
    commands.ChangeLineQuantity: [errors.UnknownLine, errors.LineShipped, errors.LineDeallocated],
    commands.Ship: [errors.UnknownLine, errors.LineNotAllocated],
    commands.AllocateOrder: [errors.OrderShort],
    commands.CancelOrder: [errors.UnknownOrder, errors.OrderShipped],
}


class RefusedStatus(NamedTuple):
    """The refusals of a command with one HTTP status: their meanings, and an example with its further members."""

    meanings: Sequence[str]
    message: str
    members: dict[str, object]


def refusals_of(command: type[Command]) -> Iterator[tuple[int, RefusedStatus]]:
    """Yield each status of the command's refusals once."""
    found: dict[int, list[RefusalText]] = {}
    for refusal in REFUSED[command]:
        text = REFUSALS[refusal]
        found.setdefault(status_of(text.example), []).append(text)
    for status, texts in found.items():
        example = texts[0].example
        yield status, RefusedStatus([text.meaning for text in texts], message_of(example), problem_members(example))
