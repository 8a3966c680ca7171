"""On empty stores, the log has only the service's own records, and says when each process listens."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.e2e.logs import JsonLog
from tests.support.e2e.service_run import run_service
from tests.support.processes import only, run_to_end

OURS = ("allocation.", "readmodel.")


@pytest.mark.slow
def test_a_first_start_logs_only_our_own_records(tmp_path: Path) -> None:
    """`allocation run` creates both stores. Everything that it and its children print is JSON."""
    with run_service(tmp_path / "data", ALLOCATION_LOG="json") as service:
        service.api.add_batch("b1", "S", 10)
        assert service.end() == 0
    log = JsonLog(tmp_path / "data.out")
    assert [record for record in log.records() if not record["logger"].startswith(OURS)] == []
    assert {record["level"] for record in log.records()} <= {"INFO", "WARNING"}
    listens = f"A web worker listens on http://127.0.0.1:{service.port} for commands and queries"
    assert log.messages().count(listens) == 2, "a line for each of the two workers"
    assert {"The relay follows the log", "The consumer listens on change_batch_quantity"} <= set(log.messages())
    assert {record["process"] for record in log.records()} == {"run", "relay", "consumer", "serve"}


@pytest.mark.slow
def test_a_bug_is_one_json_object() -> None:
    """Also if it ends a worker of the web server."""
    for factory in ("create_web_app", "create_query_app"):
        code = f"from allocation import bootstrap as b; b.create_engine = b.create_store = None; b.{factory}()"
        variables = only({"ALLOCATION_LOG": "json", "DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h/0"})
        ended = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True)
        record = json.loads(ended.stderr)
        assert (ended.returncode, ended.stdout, record["level"]) == (1, "", "CRITICAL")
        assert "TypeError: 'NoneType' object is not callable" in record["exception"]


def test_an_error_at_the_start_is_one_json_object() -> None:
    for arguments in ("queries", "queries --unknown"):
        code, output = run_to_end(arguments, {"ALLOCATION_LOG": "json", "REDIS_URL": "http://127.0.0.1"})
        record = json.loads(output)
        assert code > 0
        assert (record["level"], record["logger"]) == ("ERROR", "allocation.entrypoints.cli.exits")
