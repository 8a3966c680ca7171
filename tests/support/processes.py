"""Processes of the service, started by the same command as in production."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psutil

from tests.support.eventually import eventually
from tests.support.patience import PATIENCE

CONSOLE_SCRIPT = [sys.executable, "-m", "allocation.entrypoints.cli"]


def allocation(arguments: str, environment: Mapping[str, str], **options: Any) -> "subprocess.Popen[str]":
    """Start `allocation` with these arguments. It gets only these of the service's environment variables."""
    return program([*CONSOLE_SCRIPT, *arguments.split()], environment, **options)


def program(command: Sequence[str], environment: Mapping[str, str], **options: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, env=only(environment), text=True, **options)


def only(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the tests, but with only these of the service's variables."""
    ours = ("DATABASE_URL", "DATABASE_MIGRATION_URL", "REDIS_URL", "SMTP_URL", "ALLOCATION_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | dict(environment)


def run_to_end(arguments: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run `allocation` until it ends by itself. Return its exit code and its output."""
    process = subprocess.run(
        [*CONSOLE_SCRIPT, *arguments.split()], env=only(environment), capture_output=True, text=True, timeout=PATIENCE
    )
    return process.returncode, process.stdout + process.stderr


@contextmanager
def running(arguments: str, environment: Mapping[str, str], **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Start `allocation` as the function `allocation` does. Terminate it at the end of the block."""
    with running_program([*CONSOLE_SCRIPT, *arguments.split()], environment, **options) as process:
        yield process


@contextmanager
def running_program(
    command: Sequence[str], environment: Mapping[str, str], **options: Any
) -> Iterator["subprocess.Popen[str]"]:
    process = program(command, environment, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.send_signal(signal.SIGCONT)  # A stopped process ends only after it continues.
        process.wait(PATIENCE)


@contextmanager
def suspended(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Stop the process with SIGSTOP, and continue it at the end of the block."""
    process.send_signal(signal.SIGSTOP)
    wait_until_suspended(process)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def wait_until_suspended(process: "subprocess.Popen[str]") -> None:
    eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
