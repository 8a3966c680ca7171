"""Locks a folder for one process at a time, and replaces its files atomically."""

import fcntl
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from allocation.adapters.csv.rows import BadFile

logger = logging.getLogger(__name__)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder until the context ends or the process dies. Raise BadFile if the folder can't be opened.

    If another process holds the lock, log that and wait.
    """
    with opened(folder) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("Another process is working on %s. Waiting until it ends", folder)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BadFile(f"{folder}: can't be opened: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Replace the content of a file, and keep its permissions. The new content is durable when this function returns.

    Other processes see the complete old content or the complete new content, even if this process is killed. Raise
    BadFile if the file can't be replaced. The file then has its old content. If only the last sync failed, it has the
    new content.
    """
    path = path.resolve()  # If `path` is a symbolic link, replace its target.
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)  # A killed process may have left this file.
        try:
            write(new, content, like=path)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
        with opened(path.parent) as descriptor:
            os.fsync(descriptor)
    except OSError as error:
        raise BadFile(f"{path}: can't be written: {error.strerror}") from error


def write(new: Path, content: bytes, *, like: Path) -> None:
    with new.open("xb") as file:
        if like.exists():
            os.fchmod(file.fileno(), stat.S_IMODE(like.stat().st_mode))
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
