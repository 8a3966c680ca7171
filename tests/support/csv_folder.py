"""A folder of CSV files to run `allocation allocate-from-csv` on."""

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
    summary: Summary
    reports: list[str]


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, *rows: str | bytes, header: str | None = None) -> "Folder":
        """Write one of the three files, its rows given as text or bytes."""
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
        """Allocate in this process; the reports without the path of the folder."""
        reports: list[str] = []
        return Run(allocate_from_csv(self.path, reports.append), [self._inside(report) for report in reports])

    def command(self) -> "subprocess.CompletedProcess[str]":
        """Allocate as a user does, without any variable of the service."""
        arguments = [*CONSOLE_SCRIPT, "allocate-from-csv", str(self.path)]
        return subprocess.run(arguments, env=only({}), text=True, capture_output=True)

    def rows(self, name: str) -> list[list[str]]:
        """The fields of a file's rows."""
        header, *rows = csv.reader(StringIO((self.path / name).read_bytes().decode(), newline=""))
        assert ",".join(header) == HEADERS[name]
        return rows

    @property
    def allocated(self) -> list[list[str]]:
        return self.rows("allocations.csv")

    @property
    def batches_of_lines(self) -> dict[tuple[str, str], str]:
        batches = {(orderid, sku): batchref for orderid, sku, _, batchref in self.allocated}
        assert len(batches) == len(self.allocated), "no line stands twice"
        return batches

    @property
    def content(self) -> bytes:
        return (self.path / "allocations.csv").read_bytes()

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.path.iterdir()}

    def _inside(self, report: str) -> str:
        return report.replace(f"{self.path}/", "")
