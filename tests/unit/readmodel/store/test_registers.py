"""The fold reduces events to registers that do not depend on the order or repetition of the events."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from allocation.event_handlers import PROJECTION
from readmodel.store.formats import DEFAULT, FORMAT_1, Format
from readmodel.store.registers import Register
from readmodel.views.format_1 import used_up_key
from readmodel.views.products import stock_key
from tests.support.golden import golden

EVENTS = golden("events.json")


def registers_of(events: Sequence[Mapping[str, Any]], target: Format) -> list[Register]:
    return [write for write in PROJECTION.fold(events, target) if isinstance(write, Register)]


@given(st.lists(st.sampled_from(EVENTS)).flatmap(lambda more: st.permutations(EVENTS + more)))
def test_fold_ignores_order_and_repetition_of_events(events: list[dict[str, Any]]) -> None:
    for target in (FORMAT_1, DEFAULT):
        assert set(PROJECTION.fold(events, target)) == set(PROJECTION.fold(EVENTS, target))


def test_batch_has_one_register_among_its_products_hashes() -> None:
    """If a batch has room and is then used up, the fold returns only its last register."""
    [batch] = EVENTS[0]["batches"]
    states = [
        EVENTS[0] | {"version": version, "batches": [batch | {"allocated": allocated}]}
        for version, allocated in ((1, 0), (2, batch["qty"]))
    ]
    for events in (states, states[::-1]):
        [register] = [register for register in registers_of(events, FORMAT_1) if register.field == "batch:wh-1"]
        assert (register.key, register.version) == (used_up_key("RED-CHAIR"), 2)
        [register] = [register for register in registers_of(events, DEFAULT) if register.field == "wh-1"]
        assert (register.key, register.value) == (stock_key("RED-CHAIR"), b"2 [10,10]")


def test_skus_that_look_like_keys_get_registers_of_their_own() -> None:
    """Clients choose SKUs. No SKU may overwrite the view of another one."""
    event = EVENTS[2]
    events = [event | {"sku": sku} for sku in ("S", "S:used-up", "{17}:product:S", "totals", "batch:wh-1")]
    for target, kinds in ((FORMAT_1, (":product:", ":used-up:")), (DEFAULT, (":product:", ":stock:"))):
        registers = registers_of(events, target)
        of_products = [register for register in registers if any(kind in register.key for kind in kinds)]
        assert len({(register.key, register.field) for register in of_products}) == 10
