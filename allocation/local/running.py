"""Allows only one service to run from a data folder, and lets other programs find its URLs."""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from allocation.local.errors import CannotStart
from allocation.local.files import write_secret


def create_private(folder: Path) -> None:
    """Create the folder if it is missing. Other accounts can't list it, but PostgreSQL's account can enter it."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)  # Another start may have created it just now.
        folder.chmod(0o711)


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Lock the data folder for one service, and create the folder if it is missing.

    The kernel releases the lock if the process dies. Raise CannotStart if another service holds the lock, or if the
    folder is unusable.
    """
    try:
        create_private(data)
        opened = (data / "lock").open("a+")
    except OSError as error:
        raise CannotStart(f"Can't use ALLOCATION_DATA={data}: {error.strerror}. Set it to a folder of yours") from error
    with opened as lock:
        if not try_lock(lock):
            lock.seek(0)
            raise CannotStart(
                f"The service already runs from {data} (process {lock.read()}). Stop it first, or set ALLOCATION_DATA "
                "to another folder"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def try_lock(lock: TextIO) -> bool:
    """Return True if this process gets the lock. Retry for 0.2 s, because `service_urls` locks the file briefly."""
    for _ in range(10):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


@contextmanager
def env_file(data: Path, urls: Mapping[str, str]) -> Iterator[None]:
    """Write the URLs of the service to a file for other programs. Remove the file at the end of the context."""
    path = data / "env"
    write_secret(path, "".join(f"{name}={value}\n" for name, value in urls.items()))
    try:
        yield
    finally:
        path.unlink()


def remove_stale_env_file(data: Path) -> bool:
    """Remove the file with the URLs of an earlier service. Return True if it existed.

    In that case the earlier service was killed, and its child processes may still be running.
    """
    try:
        (data / "env").unlink()
    except FileNotFoundError:
        return False
    return True


def service_urls(data: Path) -> dict[str, str] | None:
    """Return DATABASE_URL, REDIS_URL and API_URL of the service that runs from the folder.

    Return None if no service runs from the folder, or if the service is still starting. Raise CannotStart if the folder
    is unusable.
    """
    try:
        with (data / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return read_urls(data / "env")
    except OSError as error:
        raise CannotStart(f"Can't use ALLOCATION_DATA={data}: {error.strerror}. Set it to a folder of yours") from error
    return None


def read_urls(path: Path) -> dict[str, str] | None:
    if not path.exists():
        return None
    lines = (line.partition("=") for line in path.read_text().splitlines())
    return {name: value for name, _, value in lines}
