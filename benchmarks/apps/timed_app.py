"""The service's own app. Each worker also records how long after a commit the views show it, in a file of its own."""

import os
import struct
import threading
import time
from pathlib import Path
from unittest.mock import patch

from redis import Redis

from allocation import bootstrap, components
from allocation.config import Settings
from allocation.event_handlers import PROJECTION
from readmodel.projector import fast_path
from readmodel.projector.fast_path import Committed, FastPath
from readmodel.store.store import Fold, Store
from readmodel.web.edge.edge import Edge

FACTORY = f"{__name__}:create_app"
FOLDER = "BENCHMARK_TIMES"
"""The environment variable with the folder of these files."""
TIME = struct.Struct("d")


class ObservedStore(Store):
    """Its `thread.applied` becomes true when the registers of this thread's events are in Redis."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.thread = threading.local()

    def apply(self, fold: Fold, identity: str) -> None:
        super().apply(fold, identity)
        self.thread.applied = True


class TimedFastPath:
    """A fast path that records a time for each event: seconds, or infinity if it did not update the views."""

    def __init__(self, store: ObservedStore, file: Path) -> None:
        self._store = store
        self._publish = FastPath(store, PROJECTION)
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __call__(self, committed: Committed) -> None:
        self._store.thread.applied = False
        started = time.perf_counter()
        self._publish(committed)
        seconds = time.perf_counter() - started if self._store.thread.applied else float("inf")
        os.write(self._file, TIME.pack(seconds) * len(committed.events))


def create_app() -> Edge:
    with patch.object(bootstrap, "create_fast_path", create_timed_fast_path):
        return bootstrap.create_web_app()


def create_timed_fast_path(settings: Settings, _: object) -> TimedFastPath:
    store = ObservedStore(components.create_redis(settings, timeout=fast_path.TIMEOUT))
    return TimedFastPath(store, Path(os.environ[FOLDER]) / str(os.getpid()))


def read_times(folder: Path) -> list[float]:
    """Return the seconds that all workers have recorded, in no particular order."""
    return [time for file in folder.iterdir() for (time,) in TIME.iter_unpack(file.read_bytes())]


def clear_times(folder: Path) -> None:
    for file in folder.iterdir():
        os.truncate(file, 0)
