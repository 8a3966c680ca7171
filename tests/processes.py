"""The service's processes, as they are started in production."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

CONSOLE_SCRIPT = [sys.executable, "-m", "allocation.entrypoints.cli"]


def allocation(arguments: str, environment: Mapping[str, str], **options: Any) -> "subprocess.Popen[str]":
    """Start `allocation` with those arguments, and of the service's variables with those alone."""
    ours = {"DATABASE_URL", "REDIS_URL"}
    inherited = {k: v for k, v in os.environ.items() if k not in ours and not k.startswith("ALLOCATION_")}
    return subprocess.Popen(
        [*CONSOLE_SCRIPT, *arguments.split()], env={**inherited, **environment}, text=True, **options
    )


@contextmanager
def running(arguments: str, environment: Mapping[str, str], **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """The same, for the time of a test."""
    process = allocation(arguments, environment, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(15)
