"""A process that runs a copy of the packages, step by step."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.processes import running_program
from tests.support.programs import works_step_by_step


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Stepwise:
    """The steps of `works_step_by_step.Steps`, in a process of its own. An error there ends it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def do(self, step: str, *arguments: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([step, *arguments]), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, f"the step {step} failed: the output of its process has the reason"
        return json.loads(line)

    def get(self, path: str, **headers: str) -> Reply:
        return Reply(*self.do("request", "GET", path, None, headers))

    def post(self, path: str, body: str) -> Reply:
        return Reply(*self.do("request", "POST", path, body, {}))


@contextmanager
def stepwise(folder: Path, environment: dict[str, str]) -> Iterator[Stepwise]:
    """Start the process in a copy of the repository. Check that it runs the packages of the copy."""
    command = [sys.executable, "-m", works_step_by_step.__name__]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    variables = environment | {"PYTHONPATH": str(folder)}
    # The second block closes the pipes, and waits for the end of the process.
    with running_program(command, variables, cwd=folder, **pipes) as process, process:
        steps = Stepwise(process)
        assert steps.do("packages") == [str(folder / name) for name in ("allocation", "readmodel")]
        yield steps
