"""Invariants that hold after every command. The checks read only a store's state and log, not the model."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from allocation.adapters.schemas.events import eta_as_text
from allocation.service_layer.unit_of_work import LoggedEvent
from tests.model.observed import State


def assert_the_store_is_sound(state: State, log: Sequence[LoggedEvent]) -> None:
    assert_no_batch_is_overallocated(state)
    assert_lines_are_on_batches_of_their_own_sku(state)
    assert_no_waiting_line_fits_on_a_batch(state)
    assert_product_totals_are_sums(state)
    assert_versions_have_no_gap(state, log)
    assert_state_equals_latest_events(state, log)


def assert_no_batch_is_overallocated(state: State) -> None:
    for ref, batch in state.batches.items():
        lines = [line for line in state.lines.values() if line.batchref == ref]
        assert batch.allocated == sum(line.qty for line in lines), ref
        assert batch.shipped == sum(line.qty for line in lines if line.status == "shipped"), ref
        assert 0 <= batch.shipped <= batch.allocated <= batch.qty, ref


def assert_lines_are_on_batches_of_their_own_sku(state: State) -> None:
    for (orderid, sku), line in state.lines.items():
        assert (line.batchref is not None) == (line.status in ("allocated", "shipped")), (orderid, sku)
        assert line.batchref is None or state.batches[line.batchref].sku == sku, (orderid, sku)


def assert_no_waiting_line_fits_on_a_batch(state: State) -> None:
    for (orderid, sku), line in state.lines.items():
        room = [batch.qty - batch.allocated for batch in state.batches.values() if batch.sku == sku]
        assert line.status != "waiting" or line.qty > max(room), (orderid, sku)


def assert_product_totals_are_sums(state: State) -> None:
    assert state.products.keys() == {batch.sku for batch in state.batches.values()}
    for sku, product in state.products.items():
        waiting = [line.qty for key, line in state.lines.items() if key[1] == sku and line.status == "waiting"]
        available = sum(batch.qty - batch.allocated for batch in state.batches.values() if batch.sku == sku)
        assert product[1:] == (available, len(waiting), sum(waiting)), sku


def assert_versions_have_no_gap(state: State, log: Sequence[LoggedEvent]) -> None:
    versions: dict[str, list[int]] = {sku: [] for sku in state.products}
    for event in log:
        versions[event["sku"]].append(event["version"])
    assert versions == {sku: list(range(1, product.version + 1)) for sku, product in state.products.items()}


def assert_state_equals_latest_events(state: State, log: Sequence[LoggedEvent]) -> None:
    by_version = sorted(log, key=lambda event: int(event["version"]))
    latest: dict[str, dict[Any, Any]] = {"products": {}, "batches": {}, "lines": {}}
    for event in by_version:
        sku, version, waiting = event["sku"], event["version"], event["waiting"]
        latest["products"][sku] = (version, event["available"], waiting["lines"], waiting["units"])
        for batch in event["batches"]:
            quantities = batch["qty"], batch["allocated"], batch["shipped"]
            latest["batches"][batch["ref"]] = (sku, *quantities, batch["eta"], version)
        for line in lines_of(event):
            latest["lines"][line["orderid"], sku] = (line["qty"], line["status"], line["batchref"], version)
    batches = {ref: (*batch[:4], eta_as_text(batch.eta), batch.version) for ref, batch in state.batches.items()}
    assert latest == {"products": state.products, "batches": batches, "lines": state.lines}


def assert_no_line_was_displaced_needlessly(state: State, events: Iterable[LoggedEvent]) -> None:
    """Check that no batch has room for a line that it lost."""
    for event in events:
        if event["type"] == "Displaced":
            [batch] = event["batches"]
            assert batch["allocated"] + event["line"]["qty"] > state.batches[batch["ref"]].qty, event["line"]


def lines_of(event: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return [event["line"]] if "line" in event else []
