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
    """Without an end. Some are repeated, some in conflict, some of an unknown SKU."""
    while True:
        sku, ref, orderid = rng.choice("STU"), f"b{rng.randrange(60)}", f"o{rng.randrange(120)}"
        eta = rng.choice([None, None, date(2027, 1, 15), date(2027, 3, 1)])
        all_of_it = rng.random() < 0.5
        kinds: list[Command] = [
            Allocate(orderid, sku, rng.choice([1, 2, 5, 7, 11, 30])),
            CreateBatch(ref, sku, rng.choice([1, 3, 10, 40]), eta),
            Deallocate(orderid, sku),
            ChangeBatchQuantity(ref, rng.choice([0, 1, 5, 20, 60])),
            ChangeBatchEta(ref, eta),
            ChangeLineQuantity(orderid, sku, rng.choice([1, 3, 8, 30])),
            Ship(orderid, sku),
            AllocateOrder(orderid, tuple((s, rng.choice([1, 4, 20])) for s in "STX"[: rng.randrange(1, 4)]), all_of_it),
            CancelOrder(orderid),
        ]
        yield rng.choices(kinds, weights=[12, 3, 3, 3, 1, 4, 4, 3, 1])[0]
