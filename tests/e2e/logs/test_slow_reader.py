"""Nobody reads the log of a web worker for a while."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.processes import running
from tests.support.services import ready

LINES = 1_000
"""So many lines of the access log, with long paths, do not fit into a pipe."""


@pytest.mark.slow
def test_a_worker_answers_while_nobody_reads_its_log(shared_environment: dict[str, str], shared_port: int) -> None:
    """When it stops, it writes all that waits."""
    variables = {**shared_environment, "ALLOCATION_LOG": "json", "ALLOCATION_ACCESS_LOG": "true"}
    reader, writer = os.pipe()
    with ThreadPoolExecutor() as threads:
        with ready(variables, 1, lambda variables: running("serve", variables, stderr=writer)) as port:
            os.close(writer)
            api = Api(port)
            for number in range(LINES):
                assert api.get("orders", f"{number}-{'x' * 200}").status == 404
            api.connection.close()
            log = threads.submit(Path(f"/dev/fd/{reader}").read_text)
        lines = log.result().splitlines()
    os.close(reader)
    paths = [json.loads(line).get("path", "") for line in lines]
    assert [path.split("-")[0] for path in paths if "-" in path] == [f"/orders/{number}" for number in range(LINES)]
