from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from allocation.adapters.csv import unit_of_work as csv_unit_of_work
from allocation.adapters.postgres.unit_of_work import unit_of_work
from allocation.service_layer.unit_of_work import LoggedEvent
from tests.support.fakes import FakeStore
from tests.support.subjects import Subject, logged


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param == "fake":
        store = FakeStore()
        return Subject(store.begin, lambda: store.log)
    if request.param == "csv":
        return Subject(partial(csv_unit_of_work.unit_of_work, folder(request.getfixturevalue("tmp_path"))), no_log)
    engine: Engine = request.getfixturevalue("engine")
    return Subject(lambda keys: unit_of_work(engine, keys), lambda: logged(engine))


def folder(path: Path) -> Path:
    """A folder without a batch."""
    (path / "batches.csv").write_text("ref,sku,qty,eta\n")
    return path


def no_log() -> list[LoggedEvent]:
    raise NotImplementedError("CSV keeps no log")
