"""A folder of files that one process at a time reads and writes, and in which nobody ever finds a part of a file."""

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
    """Have the folder alone, until this ends or the process dies. Waits for whoever has it, and says so.

    Raises BadFile where there is no such folder.
    """
    with opened(folder) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("Another process works on %s; waiting for it to end", folder)
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


def replace(path: Path, content: bytes) -> None:
    """Put a file with that content in the place of another, with its permissions, for good once this returns.

    Whoever looks or is killed meanwhile finds or leaves the old file or the new one. Raises BadFile: the old one is
    still there.
    """
    path = path.resolve()  # A link stays one.
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)  # Of a process that was killed.
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
