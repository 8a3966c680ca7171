"""The program `allocation` in the process of a test, which is faster than a process of its own."""

import json
from typing import Any, NamedTuple

from click.testing import CliRunner

from allocation.entrypoints.cli.main import main


class Ended(NamedTuple):
    """The exit code, and the two outputs."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[Any]:
        """The value in each line of standard output."""
        return [json.loads(line) for line in self.out.splitlines()]


class InProcess:
    def run(self, *words: str, **variables: str) -> Ended:
        """Run the program to its end, with these environment variables in addition."""
        result = CliRunner().invoke(main, words, env=variables)
        return Ended(result.exit_code, result.stdout, result.stderr)
