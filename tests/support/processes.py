"""The service's processes, as they are started in production."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

CONSOLE_SCRIPT = [sys.executable, "-m", "allocation.entrypoints.cli"]


def allocation(arguments: str, environment: Mapping[str, str], **options: Any) -> "subprocess.Popen[str]":
    """Start `allocation` with those arguments and those of the service's variables."""
    return subprocess.Popen([*CONSOLE_SCRIPT, *arguments.split()], env=only(environment), text=True, **options)


def only(environment: Mapping[str, str]) -> dict[str, str]:
    """The tests' own environment, with those of the service's variables and no others."""
    ours = ("DATABASE_URL", "REDIS_URL", "SMTP_URL", "ALLOCATION_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | dict(environment)


@contextmanager
def running(arguments: str, environment: Mapping[str, str], **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """The same, for the time of a test."""
    process = allocation(arguments, environment, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(15)
