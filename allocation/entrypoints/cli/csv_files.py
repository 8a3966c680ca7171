"""The subcommands that read CSV files."""

import sys
from pathlib import Path

import click

from allocation.entrypoints.cli.settings import settings_with
from readmodel.logs import visible

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--batches", type=FILE, required=True, help="CSV file with ref,sku,qty,eta. Can be gzipped (.gz).")
@click.option("--orders", type=FILE, required=True, help="CSV file with orderid,sku,qty. Can be gzipped (.gz).")
def load(batches: Path, orders: Path) -> None:
    """Execute each row as a command. A second run changes nothing.

    The exit code is 1 if a row is bad.
    """
    from tqdm import tqdm

    from allocation import bootstrap
    from allocation.adapters.csv.rows import count_rows
    from allocation.adapters.schemas.commands import COMMANDS
    from allocation.entrypoints.load import collect_garbage_rarely

    collect_garbage_rarely()
    settings = settings_with("database_url")
    with tqdm(total=count_rows(batches) + count_rows(orders), unit=" rows", unit_scale=True) as bar:
        loader = bootstrap.create_loader(
            settings, report=lambda line: tqdm.write(visible(line), file=sys.stderr), done=bar.update
        )
        loader.load(batches, COMMANDS["add_batch"])
        loader.load(orders, COMMANDS["allocate"])
    click.echo(f"Rows: {bar.n}. Bad rows: {loader.bad_rows}")
    sys.exit(1 if loader.bad_rows else 0)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def allocate_from_csv(folder: Path) -> None:
    """Allocate the order lines in FOLDER/orders.csv to the batches in FOLDER/batches.csv.

    The result is FOLDER/allocations.csv. A second run changes nothing. The exit code is 1 if a row is bad.
    """
    from allocation.entrypoints.allocate_from_csv import allocate_from_csv

    summary = allocate_from_csv(folder, report=lambda line: click.echo(visible(line), err=True))
    click.echo(
        f"Allocated lines: {summary.allocated} of {summary.lines} ({summary.new} in this run). "
        f"Out of stock: {summary.short}. Bad rows: {summary.refused}"
    )
    sys.exit(1 if summary.refused else 0)
