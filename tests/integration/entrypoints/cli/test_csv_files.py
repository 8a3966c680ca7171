"""The subcommand `allocate-from-csv`, as a user runs it."""

import shutil
import subprocess
import sys

import pytest

from allocation.entrypoints.cli.errors import CORRECT_FILE
from allocation.entrypoints.cli.exits import Exit
from tests.support.adapters.csv_folder import Folder
from tests.support.processes import only

DRIVERS = ("sqlalchemy", "psycopg2", "redis", "flask", "alembic")
PRINT_LOADED_DRIVERS = f"""
import sys
from allocation.entrypoints.cli.main import main
try:
    main(["allocate-from-csv", sys.argv[1]])
finally:
    print([name for name in {DRIVERS} if name in sys.modules])
"""


def test_the_command_reports_counts_and_failed_rows(folder: Folder) -> None:
    """A bad row makes the command fail. A line that is out of stock does not."""
    done = folder.orders("o1,S,1", "o2,S,10").command()
    assert done.stdout == "Allocated lines: 1 of 2 (1 in this run). Out of stock: 1. Bad rows: 0\n"
    assert done.stderr == f"{folder.path}/orders.csv, line 3: Out of stock for S: no batch has 10 left for order o2\n"
    assert done.returncode == 0, "a line that is out of stock is not an error"
    done = folder.orders("o1,S,1", "o2,S,many").command()
    assert done.stdout == "Allocated lines: 1 of 2 (0 in this run). Out of stock: 0. Bad rows: 1\n"
    assert done.stderr.startswith(f"{folder.path}/orders.csv, line 3: qty must be a whole number")
    assert done.returncode == Exit.TROUBLE


@pytest.mark.parametrize("missing", ["batches.csv", "orders.csv", "."], ids=["batches.csv", "orders.csv", "the-folder"])
def test_the_command_reports_a_missing_file_in_one_line(folder: Folder, missing: str) -> None:
    path = folder.path / missing
    if missing == ".":
        shutil.rmtree(path)
        expected = f"Error: {folder.path}: can't be opened: No such file or directory. {CORRECT_FILE}\n"
    else:
        path.unlink()
        expected = f"Error: {path} is missing. {CORRECT_FILE}\n"
    done = folder.command()
    assert (done.returncode, done.stdout, done.stderr) == (Exit.NOT_RUN, "", expected)
    assert not folder.path.exists() or "allocations.csv" not in folder.names


def test_a_report_escapes_control_characters_in_names(folder: Folder) -> None:
    done = folder.orders("o1,X\u2028Y\x1b[31m\x85,1").command()
    assert done.stderr == f"{folder.path}/orders.csv, line 2: Invalid sku X\\u2028Y\\x1b[31m\\x85\n"


@pytest.mark.parametrize("succeeds", [True, False], ids=["success", "failure"])
def test_the_command_loads_no_driver(folder: Folder, succeeds: bool) -> None:
    path = folder.orders("o1,S,1").path if succeeds else folder.path / "nowhere"
    program = [sys.executable, "-c", PRINT_LOADED_DRIVERS, str(path)]
    done = subprocess.run(program, env=only({}), text=True, capture_output=True)
    assert done.returncode == (Exit.DONE if succeeds else Exit.NOT_RUN), done.stderr
    assert done.stdout.endswith("[]\n")
