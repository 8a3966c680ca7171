from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from allocation.event_handlers import PROJECTION
from readmodel.views.products import used_up_key
from tests.support.golden import golden

EVENTS = golden("events.json")


def as_set(registers: Any) -> set[tuple[Any, ...]]:
    return {(r.key, r.field, r.version, r.value, r.former_key) for r in registers}


@given(st.lists(st.sampled_from(EVENTS)).flatmap(lambda more: st.permutations(EVENTS + more)))
def test_events_in_any_order_and_number_leave_the_same_registers(events: list[dict[str, Any]]) -> None:
    assert as_set(PROJECTION.fold(events)) == as_set(PROJECTION.fold(EVENTS))


def test_a_batch_is_in_one_of_its_products_hashes_alone() -> None:
    # What was true only in between (room, then none) is not written at all.
    [batch] = EVENTS[0]["batches"]
    states = [
        EVENTS[0] | {"version": version, "batches": [batch | {"allocated": allocated}]}
        for version, allocated in ((1, 0), (2, batch["qty"]))
    ]
    for events in (states, states[::-1]):
        [register] = [register for register in PROJECTION.fold(events) if register.field == "batch:wh-1"]
        assert (register.key, register.version) == (used_up_key("RED-CHAIR"), 2)


def test_identifiers_that_look_like_keys_stay_apart() -> None:
    # W25
    event = EVENTS[2]
    odd = [event | {"sku": sku} for sku in ("S", "S:used-up", "{17}:product:S", "totals", "batch:wh-1")]
    registers = list(PROJECTION.fold(odd))
    assert len({(r.key, r.field) for r in registers if ":product:" in r.key or ":used-up:" in r.key}) == 10
