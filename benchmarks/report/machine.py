"""Where, when and on what it was measured."""

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
from benchmarks import generator
from benchmarks.stack import ROOT, Stack

PACKAGES = ("flask", "granian", "sqlalchemy", "psycopg2-binary", "redis")


def facts(stack: Stack, load: float) -> Iterator[str]:
    """A line each. `load` is what the machine had to do before."""
    memory = psutil.virtual_memory().total / 2**30
    yield f"Machine: {cpu()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"
    yield f"Load average before: {load:.2f}"
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    yield f"Versions: Python {platform.python_version()}, {postgresql(stack)}, {redis(stack)}, {packages}"
    yield f"Load generator: {generator.name()}; at a fixed rate: benchmarks/client.py"
    config = load_settings()
    yield f"Service: {config.workers} workers, {config.threads} threads, {config.commands_together} commands together"
    yield f"Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    yield f"Commit: {commit()}"


def cpu() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def postgresql(stack: Stack) -> str:
    with stack.engine.connect() as connection:
        return f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar_one()}"


def redis(stack: Stack) -> str:
    with Redis.from_url(stack.environment["REDIS_URL"]) as client:
        information = client.info("server")
    if "valkey_version" in information:
        return f"Valkey {information['valkey_version']}"
    return f"Redis {information['redis_version']}"


def commit() -> str:
    """With -dirty where something of it was changed."""
    program = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    found = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"
