"""Web processes of the service, started by the same command as in production."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from allocation.local.ports import free_port
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.processes import running


@contextmanager
def web(environment: dict[str, str], command: str = "serve", workers: int = 1) -> Iterator[int]:
    """Run a web process, wait until it is ready, and yield its port."""
    port = free_port()
    variables = {**environment, "ALLOCATION_PORT": str(port), "ALLOCATION_WORKERS": str(workers)}
    with ExitStack() as stack:
        stack.enter_context(running(command, variables))
        api = Api(port)
        stack.callback(api.connection.close)
        eventually(api.is_ready)
        yield port
