"""The commands that hypothesis draws for the state machine.

There are few names, so that commands often concern the same batch or line. Most names exist in the machine's store.
"""

from datetime import date

import hypothesis.strategies as st

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
from tests.model.observed import State


def refs_to_draw(state: State) -> list[str]:
    """Return the reference of every batch, twice if it has shipped units, and an unknown reference."""
    shipped = [ref for ref, batch in state.batches.items() if batch.shipped]
    return [*sorted(state.batches), *sorted(shipped), "unknown"]


def shrinks_to_draw(state: State) -> list[ChangeBatchQuantity]:
    """Return commands that cut a batch below its allocated units, a few of them below its shipped units."""
    used = [(ref, batch) for ref, batch in sorted(state.batches.items()) if batch.allocated]
    shrinks = [(ref, qty) for ref, batch in used for qty in range(max(0, batch.shipped - 1), batch.allocated)]
    return [ChangeBatchQuantity(ref, qty) for ref, qty in shrinks or [("b2", 0)]]


def lines_to_draw(state: State) -> list[tuple[str, str]]:
    """Return the order id and SKU of every line, twice if it is on a batch, and of an unknown line."""
    on_batches = [key for key, line in state.lines.items() if line.batchref]
    return [*sorted(state.lines), *sorted(on_batches), ("unknown", "CHAIR")]


def nudges_to_draw(state: State) -> list[ChangeLineQuantity]:
    """Return commands that change the quantity of a line by one unit."""
    nudges = [(key, line.qty + change) for key, line in sorted(state.lines.items()) for change in (-1, 1)]
    return [ChangeLineQuantity(*key, qty) for key, qty in nudges if qty > 0]


skus = st.sampled_from(["CHAIR", "CHAIR", "CHAIR", "LAMP", "LAMP", "SOFA"])
refs = st.sampled_from(["b1", "b2", "b3", "b4", "b5", "b6"])
orderids = st.sampled_from(["o1", "o2", "o3", "o4", "o5", "o6"])
quantities = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 20])
batch_sizes = st.sampled_from([3, 5, 8, 9, 10, 12, 15, 20])
etas = st.sampled_from([None, date(2027, 1, 15), date(2027, 2, 1), date(2027, 3, 1)])
existing_refs = st.runner().flatmap(lambda machine: st.sampled_from(refs_to_draw(machine.state)))
existing_lines = st.runner().flatmap(lambda machine: st.sampled_from(lines_to_draw(machine.state)))
existing_orders = existing_lines.map(lambda line: line[0])

batches = st.builds(CreateBatch, refs, skus, batch_sizes, etas)
batch_quantities = st.builds(ChangeBatchQuantity, existing_refs, st.integers(0, 20))
shrinks = st.runner().flatmap(lambda machine: st.sampled_from(shrinks_to_draw(machine.state)))
batch_etas = st.builds(ChangeBatchEta, existing_refs, etas)
allocations = st.builds(Allocate, orderids, skus, quantities)
deallocations = st.builds(lambda line: Deallocate(*line), existing_lines)
new_quantities = st.builds(lambda line, qty: ChangeLineQuantity(line[0], line[1], qty), existing_lines, quantities)
nudges = st.runner().flatmap(lambda machine: st.sampled_from(nudges_to_draw(machine.state)))
line_quantities = st.one_of(new_quantities, nudges)
shipments = st.builds(lambda line: Ship(*line), existing_lines)
orders = st.builds(
    AllocateOrder,
    orderids,
    st.lists(st.tuples(skus, quantities), min_size=1, max_size=3, unique_by=lambda line: line[0]).map(tuple),
    st.booleans(),
)
cancellations = st.builds(CancelOrder, existing_orders)
commands: st.SearchStrategy[Command] = st.one_of(
    batches,
    batch_quantities,
    batch_etas,
    allocations,
    deallocations,
    line_quantities,
    shipments,
    orders,
    cancellations,
)
