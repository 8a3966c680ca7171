"""The facts below the table: machine, versions, settings, date and commit."""

import os
import platform
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
from redis import Redis
from sqlalchemy import text

from allocation.config import load_settings
from benchmarks.load_generator import generator
from benchmarks.stack.throwaway import ROOT, Stack

PACKAGES = ("flask", "granian", "sqlalchemy", "psycopg2-binary", "redis")


def facts(stack: Stack, load_average: float) -> Iterator[str]:
    """Yield a line for each fact. `load_average` is the machine's before the benchmarks started."""
    memory = psutil.virtual_memory().total / 2**30
    yield f"Machine: {cpu()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"
    yield f"Load average before: {load_average:.2f}"
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = platform.python_version()
    yield f"Versions: Python {python}, {postgres_version(stack)}, {redis_version(stack)}, {packages}"
    yield f"Load generator: {generator.name()}; at a fixed rate: {generator.OWN_CLIENT}"
    settings = load_settings()
    yield (
        f"Service: {settings.workers} workers, {settings.threads} threads, "
        f"{settings.commands_together} commands together"
    )
    yield f"Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    yield f"Commit: {commit()}"


def cpu() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def postgres_version(stack: Stack) -> str:
    with stack.engine.connect() as connection:
        return f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar_one()}"


def redis_version(stack: Stack) -> str:
    with Redis.from_url(stack.redis_url) as client:
        information = client.info("server")
    if "valkey_version" in information:
        return f"Valkey {information['valkey_version']}"
    return f"Redis {information['redis_version']}"


def commit() -> str:
    """Return the commit of the working tree, with -dirty if a file has changed since."""
    program = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    found = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"
