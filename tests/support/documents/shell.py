"""The commands of a document, and a shell that runs them."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from allocation.local.postgres import find_binaries
from tests.support.documents.tables import Section
from tests.support.paths import ROOT
from tests.support.patience import PATIENCE
from tests.support.processes import only

BLOCK = re.compile(r"^( *)```(sh|sql)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
PROGRAMS = {
    "allocation": "allocation.entrypoints.cli",
    "docker": "tests.support.programs.docker",
    "valkey-cli": "tests.support.programs.valkey_cli",
}
"""The programs that the commands find first, and their modules."""
STATEMENTS = "psql --dbname=postgres --set=ON_ERROR_STOP=1"
"""The program that executes a block of SQL, as an administrator."""


class Block(NamedTuple):
    language: str
    text: str


def blocks_of(section: Section) -> list[Block]:
    """Return the blocks of commands. A block in a list is indented there, but not here."""
    return [Block(match[2], dedent(match[3])) for match in BLOCK.finditer(section.text)]


class Shell:
    """Runs blocks in bash. They see only these of the service's variables. `outputs` has the output of each block.

    Each command must succeed. The programs of PostgreSQL are those of the server that the tests run.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.outputs: list[str] = []
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        for name, module in PROGRAMS.items():
            script = programs / name
            script.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m {module} "$@"\n')
            script.chmod(0o700)
        self.variables = {**variables, "PATH": f"{programs}:{find_binaries()}:{os.environ['PATH']}"}

    def run(self, block: Block, code: int = 0) -> None:
        """Raise AssertionError if the block ends with another exit code."""
        is_sql = block.language == "sql"
        done = subprocess.run(
            STATEMENTS.split() if is_sql else ["bash", "-euo", "pipefail", "-c", block.text],
            input=block.text if is_sql else "",
            cwd=self.folder,
            env=only(self.variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == code, f"{block.text}\n{done.stdout}"
        self.outputs.append(done.stdout)
