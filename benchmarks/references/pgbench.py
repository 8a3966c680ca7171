"""PostgreSQL without the service: pgbench sends the service's statements, one transaction per command.

The script consists of the statements that the service sends for one allocation. Some of their values are computed from
what the transaction has read: these become variables of pgbench.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import migrate
from allocation.domain.commands import Allocate
from allocation.local.postgres import find_binaries
from benchmarks.load_generator.traffic import WrongAnswers
from benchmarks.stack import shop
from benchmarks.stack.databases import create_database, run_script
from benchmarks.stack.statements import record_statements
from benchmarks.stack.throwaway import Stack

DATABASE = "reference"

# None of these numbers occurs in a statement with another meaning.
SAMPLE = """
    INSERT INTO products (sku, version, available) VALUES ('sample-sku', 1000001, 2000000);
    INSERT INTO batches (ref, sku, purchased, created_qty, allocated, version)
    VALUES ('sample-ref', 'sample-sku', 5000000, 5000000, 3000000, 1000001);
"""
VARIABLES = {
    "sample-order": "order-:client_id-:order",
    "sample-sku": shop.SKU,
    "sample-ref": shop.REF,
    # With a space before the colon: pgbench reads two colons as a cast.
    "1000002": " :version",
    "1999999": " :available",
    "3000001": " :allocated",
    "5000000": " :batches_purchased",
}
READ = re.compile(r"SELECT .* FROM (products|batches) ")
COMPUTED = {
    "products": "\\set version :products_version + 1\n\\set available :products_available - 1\n",
    "batches": "\\set allocated :batches_allocated + 1\n",
}


class Measured(NamedTuple):
    """Transactions a second, and the average latency in milliseconds."""

    tps: float
    milliseconds: float


@dataclass(frozen=True)
class Reference:
    """A database with the schema and the stock of the service, and the statements of one allocation."""

    url: str
    sent: Sequence[str]

    def measure(self, name: str, clients: int, seconds: int) -> Measured:
        """Run pgbench on the SKU of that name, or on all SKUs if it is shop.ANY. Raises WrongAnswers."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "allocate.sql"
            file.write_text(script(self.sent, name))
            # The simple protocol is the one that psycopg2 uses.
            options = ["-n", "-M", "simple", "-j", "1", "-c", str(clients), "-T", str(seconds)]
            program = [find_pgbench(), *options, "-f", str(file), self.url]
            done = subprocess.run(program, capture_output=True, text=True, timeout=seconds + 60)
        if done.returncode:
            raise WrongAnswers(f"pgbench failed: {done.stderr.strip().splitlines()[-1]}")
        return measured(done.stdout)


@contextmanager
def reference(stack: Stack) -> Iterator[Reference]:
    url = create_database(stack, DATABASE)
    engine = create_postgres_engine(url, direct=True)  # It executes VACUUM, and its statements set no time-outs.
    try:
        migrate(engine)
        shop.add_stock(engine)
        yield Reference(url, record_allocation(engine))
    finally:
        engine.dispose()


def record_allocation(engine: Engine) -> list[str]:
    """Return the statements of an allocation as psycopg2 sends them, with the values in the text."""
    run_script(engine, SAMPLE)
    sent = record_statements(engine, Allocate("sample-order", "sample-sku", 1))
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        return [" ".join(cursor.mogrify(statement, values).decode().split()) for statement, values in sent]
    finally:
        raw.close()


def script(sent: Sequence[str], name: str) -> str:
    """Return the script of pgbench. Raises ValueError if a sample value occurs in none of the statements."""
    lines = ["\\set order random(1, 1000000000000)\n", f"\\set any random(0, {shop.SKUS - 1})\n", "BEGIN;\n"]
    lines += map(as_script_line, sent)
    whole = "".join([*lines, "COMMIT;\n"])
    for sample, variable in VARIABLES.items():
        if sample not in whole:
            raise ValueError(f"No statement contains {sample} any more")
        whole = whole.replace(sample, variable.format(name=":any" if name == shop.ANY else name))
    return whole


def as_script_line(statement: str) -> str:
    """Return the statement. If it reads a row, set the variables that later statements use."""
    found = READ.match(statement)
    return f"{statement} \\gset {found[1]}_\n{COMPUTED[found[1]]}" if found else f"{statement};\n"


def measured(output: str) -> Measured:
    """Parse the output of pgbench. Raises WrongAnswers if a transaction failed."""
    numbers = dict(re.findall(r"^(tps|latency average|number of failed transactions)[:=\s]+([\d.]+)", output, re.M))
    if numbers.get("number of failed transactions", "0") != "0":
        raise WrongAnswers(f"{numbers['number of failed transactions']} transactions of pgbench failed")
    return Measured(float(numbers["tps"]), float(numbers["latency average"]))


def find_pgbench() -> str:
    beside_server = find_binaries() / "pgbench"
    return str(beside_server) if beside_server.exists() else shutil.which("pgbench") or "pgbench"
