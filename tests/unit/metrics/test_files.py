"""The folder in which the workers of a web server keep their metrics."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from readmodel.metrics.files import FolderUnusable, beginning, dead_processes, default_folder, make_again, make_empty


def test_folder_is_empty_and_belongs_to_this_user(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    make_empty(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("counter_1.db", "histogram_1.db", "gauge_livesum_1.db", "notes.txt"):
        (folder / name).touch()
    make_empty(folder)
    assert sorted(file.name for file in folder.iterdir()) == ["notes.txt", "server"]
    assert (folder / "server").read_text() == str(os.getpid())


def test_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    """Another user could put links in place of the files."""
    open_to_all, link, file = tmp_path / "open", tmp_path / "link", tmp_path / "file"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    link.symlink_to(tmp_path)
    file.touch()
    for path in (open_to_all, link, file):
        with pytest.raises(FolderUnusable):
            make_empty(path)


def test_worker_makes_a_vanished_folder_again(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    make_again(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "server").read_text() == str(os.getppid())


def test_worker_keeps_the_files_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    make_empty(folder)
    (folder / "counter_1.db").touch()
    make_again(folder)
    assert sorted(file.name for file in folder.iterdir()) == ["counter_1.db", "server"]
    assert (folder / "server").read_text() == str(os.getpid())


def test_worker_refuses_a_folder_of_another_user(tmp_path: Path) -> None:
    (tmp_path / "server").touch()
    tmp_path.chmod(0o777)
    with pytest.raises(FolderUnusable):
        make_again(tmp_path)


def test_start_deletes_the_folders_of_ended_web_servers(tmp_path: Path) -> None:
    folders = {name: tmp_path / f"{beginning()}{name}" for name in ("ended", "running", "starting", "new")}
    for name, pid in (("ended", ended()), ("running", os.getpid()), ("starting", None)):
        folders[name].mkdir(mode=0o700)
        (folders[name] / "counter_1.db").touch()
        if pid is not None:
            (folders[name] / "server").write_text(str(pid))
    (tmp_path / "other").mkdir()
    make_empty(folders["new"])
    assert sorted(tmp_path.iterdir()) == sorted(
        [folders["new"], folders["running"], folders["starting"], tmp_path / "other"]
    )
    assert (folders["running"] / "counter_1.db").exists()


def ended() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_web_servers_on_other_ports_have_other_folders() -> None:
    folders = {default_folder(host, port) for host in ("127.0.0.1", "::1", "shop.example") for port in (5005, 5006)}
    assert len(folders) == 6
    assert all(str(os.getuid()) in folder.name for folder in folders)


def test_dead_processes_have_files_but_do_not_run(tmp_path: Path) -> None:
    dead = ended()
    for pid in (os.getpid(), dead):
        (tmp_path / f"counter_{pid}.db").touch()
        (tmp_path / f"gauge_livesum_{pid}.db").touch()
    (tmp_path / "other.db").touch()
    assert dead_processes(tmp_path) == {dead}
