"""Commands as hypothesis draws them: few names, so that they meet, and mostly of what is in the machine's store."""

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


def refs_to_name(state: State) -> list[str]:
    """Those of every batch, twice where some of it was shipped, and one that never was."""
    shipped = [ref for ref, batch in state.batches.items() if batch.shipped]
    return [*sorted(state.batches), *sorted(shipped), "unknown"]


def cuts_of_batches(state: State) -> list[ChangeBatchQuantity]:
    """To less than is promised, and here and there to less than is shipped."""
    promised = [(ref, batch) for ref, batch in sorted(state.batches.items()) if batch.allocated]
    cuts = [(ref, qty) for ref, batch in promised for qty in range(max(0, batch.shipped - 1), batch.allocated)]
    return [ChangeBatchQuantity(ref, qty) for ref, qty in cuts or [("b1", 0)]]


def lines_to_name(state: State) -> list[tuple[str, str]]:
    """Every line, twice where it is on a batch, and one that never was."""
    on_batches = [key for key, line in state.lines.items() if line.batchref]
    return [*sorted(state.lines), *sorted(on_batches), ("unknown", "CHAIR")]


skus = st.sampled_from(["CHAIR", "CHAIR", "CHAIR", "LAMP", "LAMP", "SOFA"])
refs = st.sampled_from(["b1", "b2", "b3", "b4", "b5", "b6"])
orderids = st.sampled_from(["o1", "o2", "o3", "o4", "o5", "o6"])
quantities = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 20])
batch_sizes = st.sampled_from([3, 5, 8, 9, 10, 12, 15, 20])
etas = st.sampled_from([None, date(2027, 1, 15), date(2027, 2, 1), date(2027, 3, 1)])
existing_refs = st.runner().flatmap(lambda machine: st.sampled_from(refs_to_name(machine.state)))
existing_lines = st.runner().flatmap(lambda machine: st.sampled_from(lines_to_name(machine.state)))
cuts = st.runner().flatmap(lambda machine: st.sampled_from(cuts_of_batches(machine.state)))
existing_orders = existing_lines.map(lambda line: line[0])

batches = st.builds(CreateBatch, refs, skus, batch_sizes, etas)
batch_quantities = st.builds(ChangeBatchQuantity, existing_refs, st.integers(0, 20))
batch_etas = st.builds(ChangeBatchEta, existing_refs, etas)
allocations = st.builds(Allocate, orderids, skus, quantities)
deallocations = st.builds(lambda line: Deallocate(*line), existing_lines)
line_quantities = st.builds(lambda line, qty: ChangeLineQuantity(line[0], line[1], qty), existing_lines, quantities)
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
