"""Finds the service that runs from a data folder, and its addresses."""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from allocation.local.errors import CannotStart
from allocation.local.files import write_secret


@contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Lock the folder. The lock ends with the process, however that ends. Raises CannotStart."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        opened = (data / "lock").open("a+")
    except OSError as error:
        raise CannotStart(f"ALLOCATION_DATA={data} can't be used: {error.strerror}") from error
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
    """Return whether this process got the lock. Try several times: `service_urls` also holds it for a moment."""
    for _ in range(10):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


@contextmanager
def announced(data: Path, urls: Mapping[str, str]) -> Iterator[None]:
    """Let other programs find the service while it runs."""
    path = data / "env"
    write_secret(path, "".join(f"{name}={value}\n" for name, value in urls.items()))
    try:
        yield
    finally:
        path.unlink()


def forget(data: Path) -> bool:
    """Forget the last service that ran from the folder, if it was killed. Return whether it was.

    Then its children may still be ending.
    """
    try:
        (data / "env").unlink()
    except FileNotFoundError:
        return False
    return True


def service_urls(data: Path) -> dict[str, str] | None:
    """Return DATABASE_URL, REDIS_URL and API_URL of the service that runs from the folder, or None."""
    try:
        with (data / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return read_urls(data / "env")
    return None


def read_urls(path: Path) -> dict[str, str] | None:
    if not path.exists():
        return None
    lines = (line.partition("=") for line in path.read_text().splitlines())
    return {name: value for name, _, value in lines}
