"""A folder of CSV files, and runs of `allocation allocate-from-csv` on it."""

import csv
import subprocess
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from allocation.entrypoints.allocate_from_csv import Summary, allocate_from_csv
from tests.support.processes import CONSOLE_SCRIPT, only

HEADERS = {
    "batches.csv": "ref,sku,qty,eta",
    "orders.csv": "orderid,sku,qty",
    "allocations.csv": "orderid,sku,qty,batchref",
}


class Run(NamedTuple):
    """`reports` names the files without the path of their folder."""

    summary: Summary
    reports: list[str]


class Folder:
    """A folder with batches.csv, orders.csv and allocations.csv. Each method that writes a file replaces it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, *rows: str | bytes, header: str | None = None) -> "Folder":
        """Write one of the three files. The default header is the right one."""
        lines = [HEADERS[name] if header is None else header, *rows]
        encoded = [line.encode() if isinstance(line, str) else line for line in lines]
        (self.path / name).write_bytes(b"".join(line + b"\n" for line in encoded))
        return self

    def batches(self, *rows: str | bytes) -> "Folder":
        return self.write("batches.csv", *rows)

    def orders(self, *rows: str | bytes) -> "Folder":
        return self.write("orders.csv", *rows)

    def allocations(self, *rows: str | bytes) -> "Folder":
        return self.write("allocations.csv", *rows)

    def run(self) -> Run:
        """Run the command in this process."""
        reports: list[str] = []
        return Run(allocate_from_csv(self.path, reports.append), [self._inside(report) for report in reports])

    def command(self) -> "subprocess.CompletedProcess[str]":
        """Run the command in a process of its own, without any environment variable of the service."""
        arguments = [*CONSOLE_SCRIPT, "allocate-from-csv", str(self.path)]
        return subprocess.run(arguments, env=only({}), text=True, capture_output=True)

    def rows(self, name: str) -> list[list[str]]:
        """Return the fields of each row, without the header."""
        header, *rows = csv.reader(StringIO((self.path / name).read_bytes().decode(), newline=""))
        assert ",".join(header) == HEADERS[name]
        return rows

    @property
    def allocated(self) -> list[list[str]]:
        return self.rows("allocations.csv")

    @property
    def batches_of_lines(self) -> dict[tuple[str, str], str]:
        """Map each order id and SKU to a batch reference."""
        batches = {(orderid, sku): batchref for orderid, sku, _, batchref in self.allocated}
        assert len(batches) == len(self.allocated), "each line has one row"
        return batches

    @property
    def content(self) -> bytes:
        """The bytes of allocations.csv."""
        return (self.path / "allocations.csv").read_bytes()

    @property
    def names(self) -> set[str]:
        """The names of all files in the folder."""
        return {path.name for path in self.path.iterdir()}

    def _inside(self, report: str) -> str:
        return report.replace(f"{self.path}/", "")
