"""Web processes of the service, started by the same commands as in production."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from allocation.local.ports import free_port
from tests.support.adapters.redis_users import QUERIES, SERVICE, url_for
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.processes import running, running_program
from tests.support.programs import serves_with_time_outs

Run = Callable[[dict[str, str]], AbstractContextManager["subprocess.Popen[str]"]]


@contextmanager
def web(environment: dict[str, str], command: str = "serve", workers: int = 1) -> Iterator[int]:
    """Run a web process, wait until it is ready, and yield its port.

    `queries` may only read Redis, if the server has users.
    """
    if command == "queries" and f"//{SERVICE}:" in environment["REDIS_URL"]:
        environment = environment | {"REDIS_URL": url_for(QUERIES, environment["REDIS_URL"])}
    with ready(environment, workers, lambda variables: running(command, variables)) as port:
        yield port


@contextmanager
def web_with_time_outs(environment: dict[str, str], **time_outs: str) -> Iterator[int]:
    """Do the same as `web`, but with these time-outs of PostgreSQL, for example lock_timeout="100ms"."""
    module = serves_with_time_outs.__name__
    variables = environment | {serves_with_time_outs.VARIABLE: json.dumps(time_outs)}
    with ready(variables, 1, lambda variables: running_program([sys.executable, "-m", module], variables)) as port:
        yield port


@contextmanager
def ready(environment: dict[str, str], workers: int, run: Run) -> Iterator[int]:
    port = free_port()
    variables = {**environment, "ALLOCATION_PORT": str(port), "ALLOCATION_WORKERS": str(workers)}
    with ExitStack() as stack:
        stack.enter_context(run(variables))
        api = Api(port)
        stack.callback(api.connection.close)
        eventually(api.is_ready)
        yield port
