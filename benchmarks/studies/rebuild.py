"""Compares the rebuild of the views with `COPY … | redis-cli --pipe` of the same views, for any folder of CSV files.

python -m benchmarks.studies.rebuild [folder with batches.csv.gz and orders.csv.gz] [rounds]
"""

import sys
from pathlib import Path

from benchmarks.report.table import table
from benchmarks.rows.rebuild import compare
from benchmarks.stack.loaded_bench import DATA, run_load
from benchmarks.stack.throwaway import throwaway_stack

ROUNDS = 5


def main(folder: Path, rounds: int) -> None:
    with throwaway_stack() as stack:
        run_load(stack, folder)
        print(table(compare(stack, rounds)), end="")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA, int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS)
