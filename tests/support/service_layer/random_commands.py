"""Random commands for tests that compare two stores, or a store with its views."""

import random
from collections.abc import Iterator
from datetime import date

from allocation.domain.commands import (
    Allocate,
    AllocateOrder,
    CancelOrder,
    ChangeBatchEta,
    ChangeBatchQuantity,
    ChangeLineQuantity,
    Command,
    CreateBatch,
    Deallocate,
    Ship,
)


def random_commands(rng: random.Random) -> Iterator[Command]:
    """Yield commands without end. Some repeat earlier commands, some conflict with them, some have an unknown SKU."""
    while True:
        sku, ref, orderid = rng.choice("STU"), f"b{rng.randrange(60)}", f"o{rng.randrange(120)}"
        eta = rng.choice([None, None, date(2027, 1, 15), date(2027, 3, 1)])
        all_or_nothing = rng.random() < 0.5
        candidates: list[Command] = [
            Allocate(orderid, sku, rng.choice([1, 2, 5, 7, 11, 30])),
            CreateBatch(ref, sku, rng.choice([1, 3, 10, 40]), eta),
            Deallocate(orderid, sku),
            ChangeBatchQuantity(ref, rng.choice([0, 1, 5, 20, 60])),
            ChangeBatchEta(ref, eta),
            ChangeLineQuantity(orderid, sku, rng.choice([1, 3, 8, 30])),
            Ship(orderid, sku),
            AllocateOrder(orderid, random_lines(rng), all_or_nothing),
            CancelOrder(orderid),
        ]
        yield rng.choices(candidates, weights=[12, 3, 3, 3, 1, 4, 4, 3, 1])[0]


def random_lines(rng: random.Random) -> tuple[tuple[str, int], ...]:
    """Return up to three pairs of SKU and quantity. No batch ever has the SKU X."""
    return tuple((sku, rng.choice([1, 4, 20])) for sku in "STX"[: rng.randrange(1, 4)])
