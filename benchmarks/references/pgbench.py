"""What PostgreSQL can do with the service's statements, without the service: pgbench, one transaction per command.

The script is made of what the service was seen to send for one allocation. The values in it that a transaction
computes from what it read are pgbench's variables.
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

from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import migrate
from allocation.domain.commands import Allocate
from allocation.local.postgres import find_binaries
from benchmarks import shop
from benchmarks.cost_of_one_line import statements_of
from benchmarks.stack import Stack
from benchmarks.traffic import WrongAnswers

DATABASE = "reference"

# Numbers that stand for nothing else in any statement.
SAMPLE = """
    INSERT INTO products (sku, version, available) VALUES ('sample-sku', 1000001, 2000000);
    INSERT INTO batches (ref, sku, purchased, created_qty, allocated, version)
    VALUES ('sample-ref', 'sample-sku', 5000000, 5000000, 3000000, 1000001);
"""
VARIABLES = {
    "sample-order": "order-:client_id-:order",
    "sample-sku": shop.SKU,
    "sample-ref": shop.REF,
    # With a space before it, since pgbench takes two colons for a cast.
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
    tps: float
    milliseconds: float


@dataclass(frozen=True)
class Reference:
    """A database with the schema and the stock of the service, and the transaction of one allocation."""

    url: str
    sent: Sequence[str]

    def measure(self, name: str, clients: int, seconds: int) -> Measured:
        """`name` is of a product, or shop.ANY."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "allocate.sql"
            file.write_text(script(self.sent, name))
            # psycopg2 speaks the simple protocol too.
            options = ["-n", "-M", "simple", "-j", "1", "-c", str(clients), "-T", str(seconds)]
            program = [binary(), *options, "-f", str(file), self.url]
            done = subprocess.run(program, capture_output=True, text=True, timeout=seconds + 60)
        if done.returncode:
            raise WrongAnswers(f"pgbench failed: {done.stderr.strip().splitlines()[-1]}")
        return measured(done.stdout)


@contextmanager
def reference(stack: Stack) -> Iterator[Reference]:
    with stack.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {DATABASE}"))
    url = f"{stack.environment['DATABASE_URL'].rpartition('/')[0]}/{DATABASE}"
    engine = create_postgres_engine(url)
    try:
        migrate(engine)
        shop.stock(engine)
        yield Reference(url, recorded(engine))
    finally:
        engine.dispose()


def recorded(engine: Engine) -> list[str]:
    """What the service sends between BEGIN and COMMIT, as psycopg2 sends it: with the values in the text."""
    with engine.begin() as connection:
        for statement in filter(str.strip, SAMPLE.split(";")):
            connection.execute(text(statement))
    sent = statements_of(engine, Allocate("sample-order", "sample-sku", 1))
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        return [" ".join(cursor.mogrify(statement, values).decode().split()) for statement, values in sent]
    finally:
        raw.close()


def script(sent: Sequence[str], name: str) -> str:
    """Raises ValueError where the statements have lost what would be replaced in them."""
    lines = ["\\set order random(1, 1000000000000)\n", f"\\set any random(0, {shop.SKUS - 1})\n", "BEGIN;\n"]
    lines += map(line, sent)
    whole = "".join([*lines, "COMMIT;\n"])
    for sample, variable in VARIABLES.items():
        if sample not in whole:
            raise ValueError(f"No statement has {sample} any more")
        whole = whole.replace(sample, variable.format(name=":any" if name == shop.ANY else name))
    return whole


def line(statement: str) -> str:
    """One that reads a row hands it to the later ones."""
    found = READ.match(statement)
    return f"{statement} \\gset {found[1]}_\n{COMPUTED[found[1]]}" if found else f"{statement};\n"


def measured(output: str) -> Measured:
    """Raises WrongAnswers where a transaction failed."""
    numbers = dict(re.findall(r"^(tps|latency average|number of failed transactions)[:=\s]+([\d.]+)", output, re.M))
    if numbers.get("number of failed transactions", "0") != "0":
        raise WrongAnswers(f"{numbers['number of failed transactions']} transactions of pgbench failed")
    return Measured(float(numbers["tps"]), float(numbers["latency average"]))


def binary() -> str:
    own = find_binaries() / "pgbench"
    return str(own) if own.exists() else shutil.which("pgbench") or "pgbench"
