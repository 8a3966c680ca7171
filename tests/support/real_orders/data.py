"""The CSV files of real orders."""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from tests.support.paths import REAL_ORDERS

NAMES = ("batches.csv", "orders.csv")


def copy_data(folder: Path, share: int) -> list[Path]:
    """Copy the rows of every `share`th SKU. Return the paths of the batches and the orders.

    They are whole SKUs, so that the stock runs short as it really did.
    """
    for name in NAMES:
        with (
            gzip.open(REAL_ORDERS / f"{name}.gz", "rt", newline="") as source,
            (folder / name).open("w", newline="") as target,
        ):
            reader = csv.reader(source)
            writer = csv.writer(target)
            writer.writerow(next(reader))
            writer.writerows(row for row in reader if crc32(row[1].encode()) % share == 0)
    return [folder / name for name in NAMES]


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as file:
        yield from csv.DictReader(file)
