from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from allocation.adapters.csv import unit_of_work as csv_unit_of_work
from allocation.adapters.postgres.migrations.revision import SchemaGate
from allocation.adapters.postgres.unit_of_work import unit_of_work
from allocation.service_layer.unit_of_work import LoggedEvent
from tests.support.service_layer.fakes import FakeStore
from tests.support.service_layer.subjects import Subject, logged


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> Subject:
    """The store that the test's parameter names: "fake", "csv" or "postgresql"."""
    if request.param == "fake":
        store = FakeStore()
        return Subject(store.begin, lambda: store.log)
    if request.param == "csv":
        folder = without_batches(request.getfixturevalue("tmp_path"))
        return Subject(partial(csv_unit_of_work.unit_of_work, folder), no_log)
    engine: Engine = request.getfixturevalue("engine")
    return Subject(partial(unit_of_work, engine, SchemaGate(engine)), lambda: logged(engine))


def without_batches(folder: Path) -> Path:
    """Write an empty batches.csv, which the CSV store requires. Return the folder."""
    (folder / "batches.csv").write_text("ref,sku,qty,eta\n")
    return folder


def no_log() -> list[LoggedEvent]:
    raise NotImplementedError("A folder of CSV files keeps no log")
