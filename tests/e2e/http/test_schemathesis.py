"""Schemathesis sends requests that the description allows, and requests that it forbids, and judges the answers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.description import schemathesis_hooks
from tests.support.paths import ROOT

SETTINGS = Path(schemathesis_hooks.__file__).with_name("schemathesis.toml")


@pytest.mark.slow
def test_each_answer_is_one_that_the_description_allows(port: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS), "run", "--no-color"]
    variables = {"SCHEMATHESIS_HOOKS": schemathesis_hooks.__name__, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/openapi.json"],
        cwd=tmp_path,
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [(selected, tested)] = re.findall(r"Selected: (\d+)/\d+\s+Tested: (\d+)", done.stdout)
    assert selected == tested, done.stdout
    [cases] = re.findall(r"(\d+) generated", done.stdout)
    assert int(cases) > 20 * int(tested)
