"""The service's own app, which notes how long after each commit the views show it: in a file per worker."""

import os
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flask import Flask

from allocation import bootstrap
from allocation.config import Settings
from readmodel.projector.fast_path import FastPath

FOLDER = "BENCHMARK_TIMES"
TIME = struct.Struct("d")


class Timed:
    """The fast path, with a time in seconds for each event; infinite where the views did not show it at the return."""

    def __init__(self, fast_path: FastPath, file: Path) -> None:
        self._fast_path = fast_path
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __call__(self, events: Sequence[Mapping[str, Any]]) -> None:
        started = time.perf_counter()
        self._fast_path(events)
        took = time.perf_counter() - started
        if self._fast_path._paused_until > time.monotonic():
            took = float("inf")
        os.write(self._file, TIME.pack(took) * len(events))


def create_app() -> Flask:
    file = Path(os.environ[FOLDER]) / str(os.getpid())

    create_fast_path = bootstrap.create_fast_path

    def create_timed_fast_path(settings: Settings) -> Timed:
        fast_path = create_fast_path(settings)
        assert isinstance(fast_path, FastPath)
        return Timed(fast_path, file)

    with patch.object(bootstrap, "create_fast_path", create_timed_fast_path):
        return bootstrap.create_web_app()


def times(folder: Path) -> list[float]:
    """What all workers have noted so far, in no order."""
    return [time for file in folder.iterdir() for (time,) in TIME.iter_unpack(file.read_bytes())]


def forget(folder: Path) -> None:
    for file in folder.iterdir():
        os.truncate(file, 0)
