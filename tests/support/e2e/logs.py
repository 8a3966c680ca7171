"""Processes that write their log as JSON into a file."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.processes import running
from tests.support.services import ready


class JsonLog:
    """The log of a process. Each of its lines must be one JSON object."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def records(self, **fields: object) -> list[dict[str, Any]]:
        """Return the records that have these fields."""
        records = [json.loads(line) for line in self._path.read_text().splitlines()]
        return [record for record in records if fields.items() <= record.items()]

    def messages(self) -> list[str]:
        return [record["message"] for record in self.records()]


@contextmanager
def logging_process(arguments: str, environment: Mapping[str, str], path: Path) -> Iterator[JsonLog]:
    with path.open("w") as file:
        variables = {**environment, "ALLOCATION_LOG": "json"}
        with running(arguments, variables, stdout=file, stderr=file):
            yield JsonLog(path)


@contextmanager
def logging_web(
    environment: Mapping[str, str], path: Path, command: str = "serve", workers: int = 1
) -> Iterator[tuple[int, JsonLog]]:
    """Run a web process with an access log. Yield its port and its log."""
    variables = {**environment, "ALLOCATION_LOG": "json", "ALLOCATION_ACCESS_LOG": "true"}
    with (
        path.open("w") as file,
        ready(variables, workers, lambda variables: running(command, variables, stdout=file, stderr=file)) as port,
    ):
        yield port, JsonLog(path)
