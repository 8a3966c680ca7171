"""The wheel, which the container image installs."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SOURCES = ("allocation", "readmodel", "setup.py", "pyproject.toml")
CODE = {".py", ".pyc"}


def files_in(folder: Path) -> set[str]:
    """Return the files of both packages that are no Python modules."""
    found = (path for package in ("allocation", "readmodel") for path in (folder / package).rglob("*"))
    return {str(path.relative_to(folder)) for path in found if path.is_file() and path.suffix not in CODE}


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_packages(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in SOURCES:
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path)]
    subprocess.run([*pip, *options, str(source)], check=True, capture_output=True)
    [wheel] = tmp_path.glob("allocation-*.whl")
    assert files_in(source) - set(zipfile.ZipFile(wheel).namelist()) == set()
    assert any(name.endswith("swagger-ui-bundle.js.gz") for name in files_in(source))
