"""The folder in which the workers of a web server keep their metrics.

The files are mapped into memory. On a disk, a write could wait for the disk. So they are in the memory file system, if
the machine has one.
"""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which `prometheus_client` knows the folder."""
MEMORY = Path("/dev/shm")  # noqa: S108  # The folder below it belongs to this user only.
SERVER = "server"
"""The file that names the process of the web server."""
FILE = re.compile(r"(?:counter|histogram|gauge_[a-z]+)_([0-9]+)\.db")


class FolderUnusable(Exception):
    """The web server can't keep its metrics in its folder."""


def folder_of_files() -> Path | None:
    """Return the folder of this process and its siblings, or None if the process has none."""
    name = os.environ.get(VARIABLE)
    return Path(name) if name else None


def default_folder(host: str, port: int) -> Path:
    """Return the folder of the web server on this port. Only one web server of this machine can have it."""
    parent = MEMORY if os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    address = re.sub("[^A-Za-z0-9.]", "_", host)
    return parent / f"{beginning()}{address}-{port}"


def beginning() -> str:
    """Return how the names of the folders of this user begin."""
    return f"allocation-metrics-{os.getuid()}-"


def make_empty(folder: Path) -> None:
    """Make the folder that of this process, without the files of an earlier web server. Raise FolderUnusable.

    Also delete the folders of web servers that have ended. Nobody else may write to the folder: another user could put
    a link in place of a file.
    """
    try:
        for other in abandoned(folder.parent):
            shutil.rmtree(other, ignore_errors=True)
        make_private(folder)
        for file in folder.iterdir():
            if FILE.fullmatch(file.name):
                file.unlink()
        (folder / SERVER).write_text(str(os.getpid()))
    except OSError as error:
        raise FolderUnusable(f"Can't use {folder}, the folder of the metrics: {error.strerror or error}") from error


def make_again(folder: Path) -> None:
    """Make the folder of the web server, if it has vanished. A worker of that server calls it when it starts.

    Somebody may delete the folder of a running server, for example systemd at the end of a session of the user. Raise
    FolderUnusable.
    """
    try:
        make_private(folder)
        if not (folder / SERVER).exists():
            (folder / SERVER).write_text(str(os.getppid()))
    except OSError as error:
        raise FolderUnusable(f"Can't use {folder}, the folder of the metrics: {error.strerror or error}") from error


def make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if not is_private(folder):
        raise FolderUnusable(f"Another user may write to {folder}, the folder of the metrics")


def is_private(folder: Path) -> bool:
    """Return whether it is a folder of this user, and only this user may write to it."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def abandoned(parent: Path) -> Iterator[Path]:
    """Yield the folders of this user whose web server has ended."""
    for folder in parent.glob(f"{beginning()}*"):
        with suppress(OSError, ValueError):  # Another process has just deleted it, or is writing the file.
            if is_private(folder) and not psutil.pid_exists(int((folder / SERVER).read_text())):
                yield folder


def dead_processes(folder: Path) -> set[int]:
    """Return the processes that have files in the folder and do not run any more."""
    pids = {int(found[1]) for file in folder.iterdir() if (found := FILE.fullmatch(file.name))}
    return {pid for pid in pids if not psutil.pid_exists(pid)}
