"""PostgreSQL without the service: pgbench runs a script of statements, one transaction per command.

The scripts and their tables stay the same when the service changes.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from alembic import command
from sqlalchemy import Engine

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import configuration
from allocation.local.postgres import find_binaries
from benchmarks.load_generator.traffic import WrongAnswers
from benchmarks.stack import shop
from benchmarks.stack.databases import create_database, run_script, vacuum
from benchmarks.stack.throwaway import Stack

SCRIPTS = Path(__file__).parent / "scripts"
REVISION = "0005"
"""The schema of the seven statements."""
SUFFICIENT = 0.95
"""The part of the planned rate below which a measurement at a fixed rate is void."""
ELAPSED, LAG = 2, 6
"""The columns of pgbench's log: the microseconds since the planned start, and the delay of the real start."""


class Script(Enum):
    """The file of a script, and the protocol. The simple protocol is the one that psycopg2 uses."""

    SEVEN_STATEMENTS = "seven_statements.sql", "simple"
    FOUR_STATEMENTS = "four_statements.sql", "prepared"


class Measured(NamedTuple):
    """Transactions a second, and the average latency in milliseconds."""

    tps: float
    milliseconds: float


@dataclass(frozen=True)
class Reference:
    """A database with the tables and the stock that a script needs."""

    script: Script
    url: str

    def measure(self, name: str, skus: int, clients: int, seconds: int) -> Measured:
        """Run pgbench on the SKU of that name, or on `skus` SKUs if it is shop.ANY. Raises WrongAnswers."""
        with tempfile.TemporaryDirectory() as folder:
            return measured(self._run(Path(folder), name, skus, clients, seconds))

    def times_at(self, rate: float, name: str, skus: int, clients: int, seconds: int) -> list[float]:
        """Return the milliseconds of each transaction at a fixed rate. Raises WrongAnswers.

        A transaction may start late. Its time does not include this delay.
        """
        with tempfile.TemporaryDirectory() as found:
            folder = Path(found)
            log = ["-R", f"{rate:.0f}", "-l", f"--log-prefix={folder / 'log'}"]
            tps = measured(self._run(folder, name, skus, clients, seconds, *log)).tps
            if tps < SUFFICIENT * rate:
                raise WrongAnswers(f"pgbench executed {tps:.0f} transactions a second, not {rate:.0f}")
            lines = [line.split() for file in folder.glob("log.*") for line in file.read_text().splitlines()]
        return [(int(line[ELAPSED]) - int(line[LAG])) / 1e3 for line in lines]

    def _run(self, folder: Path, name: str, skus: int, clients: int, seconds: int, *further: str) -> str:
        file, protocol = self.script.value
        script = folder / file
        any_name = f"\\set name random(0, {skus - 1})\n" if name == shop.ANY else ""
        script.write_text(any_name + (SCRIPTS / file).read_text())
        options = ["-n", "-M", protocol, "-j", "1", "-c", str(clients), "-T", str(seconds), "-D", f"name={name}"]
        program = [find_pgbench(), *options, *further, "-f", str(script), self.url]
        done = subprocess.run(program, capture_output=True, text=True, timeout=seconds + 60)
        if done.returncode:
            raise WrongAnswers(f"pgbench failed: {done.stderr.strip().splitlines()[-1]}")
        return done.stdout


@contextmanager
def reference(stack: Stack, script: Script) -> Iterator[Reference]:
    url = create_database(stack, script.name.lower())
    engine = create_postgres_engine(url, direct=True)  # It executes VACUUM, and its statements set no time-outs.
    try:
        if script is Script.SEVEN_STATEMENTS:
            create_frozen_schema(engine)
            run_script(engine, (SCRIPTS / "seven_stock.sql").read_text())
        else:
            run_script(engine, (SCRIPTS / "four_tables.sql").read_text())
        vacuum(engine)
        yield Reference(script, url)
    finally:
        engine.dispose()


def create_frozen_schema(engine: Engine) -> None:
    with engine.begin() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, REVISION)


def measured(output: str) -> Measured:
    """Parse the output of pgbench. Raises WrongAnswers if a transaction failed."""
    numbers = dict(re.findall(r"^(tps|latency average|number of failed transactions)[:=\s]+([\d.]+)", output, re.M))
    if numbers.get("number of failed transactions", "0") != "0":
        raise WrongAnswers(f"{numbers['number of failed transactions']} transactions of pgbench failed")
    return Measured(float(numbers["tps"]), float(numbers["latency average"]))


def find_pgbench() -> str:
    beside_server = find_binaries() / "pgbench"
    return str(beside_server) if beside_server.exists() else shutil.which("pgbench") or "pgbench"
