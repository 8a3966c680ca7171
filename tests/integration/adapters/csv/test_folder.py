"""A run replaces the files of a folder as a whole or not at all. Only one process at a time uses a folder."""

import random
import signal
import stat
import subprocess
import sys
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from allocation.adapters.csv.repository import LineInDoubt
from allocation.adapters.csv.unit_of_work import unit_of_work
from allocation.domain.commands import Allocate, ChangeBatchEta, ChangeBatchQuantity, Command, CreateBatch, Deallocate
from allocation.domain.errors import Refusal
from allocation.domain.model import OrderLine
from allocation.entrypoints.cli.errors import CORRECT_FILE
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import LockSet, StoreUnavailable
from tests.support.adapters.csv_folder import Folder
from tests.support.processes import CONSOLE_SCRIPT, only
from tests.support.service_layer.random_commands import random_commands

OLD = b"orderid,sku,qty,batchref\no0,S,1,b1\n"
LINES = 2_000
FILES = {"batches.csv", "orders.csv", "allocations.csv"}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with one allocated line and many orders that a run will allocate."""
    orders = [f"o{n},S,1" for n in range(LINES)]
    return Folder(tmp_path).batches(f"b1,S,{LINES},").orders(*orders).allocations("o0,S,1,b1")


def bus_on(folder: Path) -> MessageBus:
    return MessageBus(partial(unit_of_work, folder), lambda events: None)


def interrupted_run(folder: Folder, interruption: str, limit: int) -> "subprocess.CompletedProcess[str]":
    """Run allocate-from-csv until the interruption: `kill` at the Nth step, `die` or `fail` after N bytes of a file."""
    program = [sys.executable, "-m", "tests.support.programs.dies_while_writing"]
    arguments = [*program, str(folder.path), interruption, str(limit)]
    return subprocess.run(arguments, env=only({}), text=True, capture_output=True)


@pytest.mark.slow
def test_kill_at_any_step_leaves_the_old_file_or_the_new_one(folder: Folder) -> None:
    contents = []
    for step in range(1, 30):
        folder.allocations("o0,S,1,b1")
        if interrupted_run(folder, "kill", step).returncode != -signal.SIGKILL:
            break
        contents.append(folder.content)
        assert folder.run().reports == []
        assert (len(folder.allocated), folder.names) == (LINES, FILES), "The next run must complete the allocations"
    assert len(contents) > 5
    assert set(contents) == {OLD, folder.content}


def test_death_during_a_write_leaves_the_old_file(folder: Folder) -> None:
    assert interrupted_run(folder, "die", 10_000).returncode == -signal.SIGXFSZ
    assert folder.content == OLD
    assert folder.names == FILES | {".allocations.csv.new"}, "The dead process must leave its incomplete file"
    assert folder.run().summary.allocated == LINES
    assert folder.names == FILES


def test_full_disk_leaves_the_old_file_and_prints_one_line(folder: Folder) -> None:
    done = interrupted_run(folder, "fail", 10_000)
    assert done.stderr == f"Error: {folder.path}/allocations.csv: can't be written: File too large. {CORRECT_FILE}\n"
    assert (done.returncode, done.stdout) == (3, "")
    assert (folder.content, folder.names) == (OLD, FILES)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664], ids=oct)
def test_new_file_has_the_permissions_of_the_old_one(folder: Folder, mode: int) -> None:
    path = folder.path / "allocations.csv"
    path.chmod(mode)
    folder.run()
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_symbolic_link_stays_a_link(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> None:
    path, elsewhere = folder.path / "allocations.csv", tmp_path_factory.mktemp("elsewhere") / "file"
    path.symlink_to(path.rename(elsewhere))
    folder.run()
    assert path.is_symlink()
    assert len(folder.allocated) == LINES


def test_second_run_waits_for_the_first_and_reads_its_result(folder: Folder) -> None:
    folder.batches("b1,S,3,")
    arguments = [*CONSOLE_SCRIPT, "allocate-from-csv", str(folder.path)]
    with unit_of_work(folder.path, LockSet()) as uow:
        process = subprocess.Popen(arguments, env=only({}), text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stderr is not None
        assert "Another process is working on" in process.stderr.readline()
        product = uow.products.get("S")
        assert product is not None
        product.deallocate("o0")
        for orderid in ("o7", "o8"):
            product.allocate(OrderLine(orderid, "S", 1))
        uow.commit()
    output, _ = process.communicate()
    assert [row[0] for row in folder.allocated] == ["o7", "o8", "o0"]
    assert output.startswith("Allocated lines: 3 of 2000 (1 in this run).")


def test_concurrent_runs_have_the_result_of_one_run(folder: Folder) -> None:
    arguments = [*CONSOLE_SCRIPT, "allocate-from-csv", str(folder.path)]
    runs = [subprocess.Popen(arguments, env=only({}), text=True, stdout=subprocess.PIPE) for _ in range(4)]
    outputs = [run.communicate()[0] for run in runs]
    assert sorted(f"({LINES - 1} in this run)" in output for output in outputs) == [False, False, False, True]
    assert [row[0] for row in folder.allocated] == [f"o{n}" for n in range(LINES)]


def test_commands_change_no_row_that_they_do_not_concern(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("batches.csv", "x,b1,S,10", "bad", "y,b2,S,10", 'z,"b3",S,1', header="note,ref,sku,qty")
    folder.allocations("o1,S,6,b1", "o9,S,1,b9", "o2,S,4,b1", "o3,S,2,b2", "o4,S,1,b3")
    bus = bus_on(tmp_path)
    commands: list[Command] = [ChangeBatchQuantity("b1", 6), CreateBatch("b4", "T", 5), Deallocate("o4", "S")]
    assert list(bus.handle_all(commands)) == [Done()] * 3
    assert (tmp_path / "batches.csv").read_text() == 'note,ref,sku,qty\nx,b1,S,6\nbad\ny,b2,S,10\nz,"b3",S,1\n,b4,T,5\n'
    assert [",".join(row) for row in folder.allocated] == ["o1,S,6,b1", "o9,S,1,b9", "o3,S,2,b2", "o2,S,4,b2"]
    with pytest.raises(LineInDoubt, match="Order o9's line of S is in doubt"):
        bus.handle(Allocate("o9", "S", 1))
    with pytest.raises(StoreUnavailable, match=r"batches.csv has no column eta"):
        bus.handle(ChangeBatchEta("b2", date(2027, 1, 15)))


@pytest.mark.parametrize("seed", range(5))
def test_random_commands_leave_files_without_a_bad_row(tmp_path: Path, seed: int) -> None:
    Folder(tmp_path).batches()
    outcomes = bus_on(tmp_path).handle_all(islice(random_commands(random.Random(seed)), 200))
    assert all(isinstance(outcome, Done | Refusal) for outcome in outcomes)
    with unit_of_work(tmp_path, LockSet()) as uow:
        assert uow.products.problems == []
        for product in filter(None, map(uow.products.get, "STU")):
            assert all(0 <= batch.allocated <= batch.purchased for batch in product.stock.batches)
            versions = [batch.version for batch in product.stock.batches] + [
                line.version for line in product.lines.values()
            ]
            assert sorted(versions) == list(range(1, product.version + 1))


def test_missing_folder_makes_the_store_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="nowhere: can't be opened: No such file or directory"):
        bus_on(tmp_path / "nowhere").handle(Allocate("o1", "S", 1))


def test_batches_and_lines_have_a_version_each(folder: Folder) -> None:
    """The files hold no versions. The store counts one event for each batch and then one for each line."""
    folder.batches("b1,S,5,", "x1,X,5,", "b2,S,5,").allocations("o1,S,1,b2", "o2,X,1,x1", "o3,S,1,b1")
    with unit_of_work(folder.path, LockSet()) as uow:
        product = uow.products.get("S")
        assert product is not None
        assert [batch.version for batch in product.stock.batches] == [1, 2]
        assert [line.version for line in product.lines.values()] == [3, 4]
        assert (product.version, product.totals.available) == (4, 8)
