import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from readmodel.store.formats import NEWEST
from tests.support.documents.edits import edits_in
from tests.support.documents.stepwise import Stepwise, stepwise
from tests.support.paths import ROOT

COPIED = ("allocation", "benchmarks", "deploy", "readmodel", "tests", "pyproject.toml")


@pytest.fixture(scope="session")
def document() -> str:
    return (ROOT / "docs" / "extend.md").read_text()


@pytest.fixture(scope="session")
def copy(document: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository with the edits of the document."""
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    for edit in edits_in(document):
        edit.apply(folder)
    return folder


@pytest.fixture
def service(copy: Path, database_url: str, redis_url: str) -> Iterator[Stepwise]:
    """Yield a process that runs the copy. Its views are in the format of the copy, and empty."""
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "ALLOCATION_READ_PATIENCE": "0"}
    with stepwise(copy, environment) as service:
        service.do("rebuild", NEWEST + 1)
        yield service
