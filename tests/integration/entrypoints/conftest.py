from pathlib import Path

import pytest

from tests.support.adapters.csv_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with one batch of ten units and no orders."""
    return Folder(tmp_path).batches("b1,S,10,").orders()
