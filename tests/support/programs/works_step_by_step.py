"""A web worker, a relay and a verification in one process, which works only when a test asks it to.

The process reads a JSON array per line: the name of a step, and its arguments. It prints a line with the result. The
packages are those of the current folder. So a test can run a changed copy of them.
"""

import json
import sys
from pathlib import Path
from typing import Any

import allocation
import readmodel
from allocation import bootstrap, components
from allocation.adapters.schemas.commands import COMMANDS
from allocation.config import load_settings
from allocation.entrypoints.verification import Scope
from allocation.event_handlers import PROJECTION
from readmodel.projector.rebuild import rebuild
from readmodel.store.formats import Format
from tests.model.oracle import assert_the_views_are_the_state
from tests.support.edge_client import EdgeClient, Response
from tests.support.readmodel.rebuilds import fingerprint, follow_to_the_end


class Steps:
    """The public methods are the steps."""

    def __init__(self) -> None:
        self._settings = load_settings()
        self._engine = components.create_engine(self._settings)
        self._log = components.create_log(self._settings, self._engine)
        self._store = components.create_store(self._settings)
        self._client = EdgeClient(bootstrap.create_web_app(self._settings))
        self._quiet_bus = components.create_message_bus(self._engine, components.leave_to_relay)

    def packages(self) -> list[str]:
        """Return the folders of the packages."""
        return [str(Path(package.__file__ or "").parent) for package in (allocation, readmodel)]

    def request(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> list[object]:
        """Send a request to the edge. Return the status, the headers and the body of the response."""
        typed = {} if body is None else {"content-type": "application/json"}
        response = self._client.request(method, path, Response((body or "").encode()), **typed, **headers)
        return [response.status, response.headers, response.body.decode()]

    def execute_quietly(self, name: str, body: str) -> None:
        """Execute a command, and leave the views to the relay."""
        self._quiet_bus.handle(COMMANDS[name].from_json(body.encode()))

    def rebuild(self, number: int) -> str:
        """Rebuild the views in the format with this number. Return the digest of the views."""
        rebuild(self._store, self._log, PROJECTION, target=Format(number, kept=100 if number > 1 else 0))
        return fingerprint(self._store)

    def follow(self) -> str:
        """Apply every event of the log, as the relay does. Return the digest of the views."""
        follow_to_the_end(self._store, self._log)
        return fingerprint(self._store)

    def verify(self) -> list[list[str | None]]:
        """Return the place of each difference: the key, and the field or the entry."""
        return [[found.key, found.field] for found in self._verification().differences()]

    def repair(self) -> str:
        """Correct all differences. Return the digest of the views."""
        list(self._verification().repair())
        return fingerprint(self._store)

    def compare_with_the_tables(self) -> None:
        """Raise AssertionError if a view differs from the tables. The oracle decides that."""
        assert_the_views_are_the_state(self._engine, self._store)

    def _verification(self) -> Any:
        return bootstrap.create_verification(self._settings, Scope())


if __name__ == "__main__":
    steps = Steps()
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(steps, name)(*arguments)), flush=True)  # noqa: T201
