"""The folder makes the same decisions as the service over the fake store."""

import random
import shutil
from datetime import date

import pytest

from allocation.domain.commands import Allocate, CreateBatch
from allocation.domain.errors import Refusal
from allocation.service_layer.messagebus import MessageBus
from tests.support.adapters.csv_folder import Folder
from tests.support.paths import SAMPLE
from tests.support.service_layer.fakes import FakeStore

ETAS = ["", "", "2027-01-15", "2027-03-01"]


class FakeService:
    """The service over the fake store. It handles the rows of a folder as commands."""

    def __init__(self) -> None:
        self._store = FakeStore()
        self._bus = MessageBus(self._store.begin, lambda events: None)

    def handle(self, folder: Folder) -> int:
        """Handle the batches and then the orders. Return the number of refused rows and waiting lines."""
        batches = [
            CreateBatch(ref, sku, int(qty), date.fromisoformat(eta) if eta else None)
            for ref, sku, qty, eta in folder.rows("batches.csv")
        ]
        orders = [Allocate(orderid, sku, int(qty)) for orderid, sku, qty in folder.rows("orders.csv")]
        refused = sum(isinstance(outcome, Refusal) for outcome in self._bus.handle_all(batches))
        outcomes = list(self._bus.handle_all(orders))
        return refused + sum(
            isinstance(outcome, Refusal) or (order.orderid, order.sku) not in self.batches_of_lines
            for order, outcome in zip(orders, outcomes, strict=True)
        )

    @property
    def batches_of_lines(self) -> dict[tuple[str, str], str]:
        return {key: line.batchref for key, line in self._store.lines.items() if line.batchref is not None}


@pytest.mark.parametrize("seed", range(20))
def test_the_folder_and_the_fake_make_the_same_decisions(folder: Folder, seed: int) -> None:
    """Each SKU then gets another batch. The fake allocates its waiting lines; the second run reads orders.csv again."""
    rng = random.Random(seed)
    batches = [
        f"b{rng.randrange(20)},{rng.choice('STU')},{rng.choice([1, 9, 20])},{rng.choice(ETAS)}" for _ in range(12)
    ]
    orders = [f"o{rng.randrange(60)},{rng.choice('STUV')},{rng.choice([1, 2, 7, 30])}" for _ in range(120)]
    fake, run = FakeService(), folder.batches(*batches).orders(*orders).run()
    assert run.summary.short + run.summary.refused == fake.handle(folder)
    assert folder.batches_of_lines == fake.batches_of_lines
    more = [f"more-{sku},{sku},40,{rng.choice(ETAS)}" for sku in "STU"]
    run = folder.batches(*batches, *more).run()
    assert run.summary.short + run.summary.refused == fake.handle(folder)
    assert folder.batches_of_lines == fake.batches_of_lines
    assert run.summary.new > 0


def test_the_folder_and_the_fake_agree_on_the_sample(folder: Folder) -> None:
    for name in ("batches.csv", "orders.csv"):
        shutil.copy(SAMPLE / name, folder.path)
    fake, run = FakeService(), folder.run()
    assert run.summary.short + run.summary.refused == fake.handle(folder)
    assert folder.batches_of_lines == fake.batches_of_lines
