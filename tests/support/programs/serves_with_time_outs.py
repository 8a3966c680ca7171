"""Runs `allocation serve` with other time-outs: `python -m tests.support.programs.serves_with_time_outs`.

TEST_TIME_OUTS holds them as JSON, for example {"lock_timeout": "100ms"}.
"""

import json
import os

from allocation import bootstrap
from allocation.adapters.postgres.driver.engine import TIMEOUTS
from allocation.entrypoints.cli.run.processes import exec_web_server
from allocation.entrypoints.cli.settings import settings_with
from readmodel.web.edge.edge import Edge

VARIABLE = "TEST_TIME_OUTS"


def create_app() -> Edge:
    TIMEOUTS.update(json.loads(os.environ[VARIABLE]))  # Before the builder imports the statements, which contain them.
    return bootstrap.create_web_app()


if __name__ == "__main__":
    exec_web_server(f"{__spec__.name}:create_app", settings_with("database_url", "redis_url"))
