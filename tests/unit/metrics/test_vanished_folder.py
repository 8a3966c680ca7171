"""The folder of the counter files vanishes under a live web server. Its metrics never fail a request or a command."""

import os
import subprocess
import sys
from pathlib import Path

from readmodel.metrics.files import VARIABLE

PROGRAM = """
import shutil, sys
from redis import Redis
from allocation.domain.commands import Allocate
from allocation.metrics import BusMetrics, FastPathMetrics
from allocation.service_layer.outcomes import Done
from readmodel import logs
from readmodel.metrics.reporter import Reporter
from readmodel.metrics.web import WebMetrics
from readmodel.store.names import Names

logs.configure("serve")
reporter = Reporter("commands", Redis(), Names(""))
web, bus, fast_path = WebMetrics(reporter), BusMetrics(reporter.registry), FastPathMetrics(reporter.registry)
shutil.rmtree(sys.argv[1])
for _ in range(3):
    web.answered("/", 200, 0.1)
    web.answered_lines({200: 1})
    web.refused("bulks")
    bus.executed(Allocate, [Done()])
    bus.committed(1, 0.1, [])
    fast_path.applied(1)
    fast_path.failed("redis")
print("finished")
"""


def test_a_vanished_folder_fails_no_request_or_command(tmp_path: Path) -> None:
    """The library decides when it is imported that workers share files. So another process runs this."""
    folder = tmp_path / "metrics"  # The registry makes it.
    variables = {**os.environ, VARIABLE: str(folder)}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert ended.stdout == "finished\n", ended.stderr
    assert "FileNotFoundError" in ended.stderr
    assert ended.stderr.count("The metrics lack values") == 6  # Each function logs it once. `committed` did not fail.
