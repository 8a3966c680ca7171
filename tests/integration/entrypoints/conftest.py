"""A folder of CSV files, and views of lines in every status, a used-up batch, and odd names."""

from datetime import date
from pathlib import Path

import pytest

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import (
    Allocate,
    CancelOrder,
    ChangeBatchEta,
    ChangeBatchQuantity,
    Command,
    CreateBatch,
    Ship,
)
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.store import Store
from tests.support.adapters.csv_folder import Folder
from tests.support.readmodel.rebuilds import follow_to_the_end

HISTORY: list[Command] = [
    CreateBatch("b1", "S", 10),
    CreateBatch("ship", "S", 20, date(2027, 1, 15)),
    CreateBatch("used", "T", 3),
    CreateBatch("größe", "Ünï S:KU", 3),
    Allocate("o1", "S", 4),
    Allocate("o2", "S", 15),  # It does not get the first batch, so it has a reason.
    Allocate("o3", "S", 90),
    Allocate("o4", "T", 3),
    Allocate("o 5:{x}", "Ünï S:KU", 1),
    Allocate("o1", "T", 7),
    Ship("o4", "T"),
    CancelOrder("o 5:{x}"),
    ChangeBatchEta("ship", date(2027, 2, 1)),
    ChangeBatchQuantity("b1", 3),
]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with one batch of ten units and no orders."""
    return Folder(tmp_path).batches("b1,S,10,").orders()


@pytest.fixture
def shop(projecting_bus: MessageBus, model: Store, log: EventLog) -> Store:
    """Return a store with lines in every status, a used-up batch, and odd names."""
    list(projecting_bus.handle_all(HISTORY))
    follow_to_the_end(model, log)
    return model
