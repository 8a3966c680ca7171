"""The subcommands that read CSV files."""

import sys
from pathlib import Path

import click

from allocation.entrypoints.cli.commands import command, json_option
from allocation.entrypoints.cli.exits import Exit
from allocation.entrypoints.cli.output import print_json, progress
from allocation.entrypoints.cli.settings import settings_with
from readmodel.logs import visible

FILE = click.Path(path_type=Path)
BAD_ROW = "A row is bad. Each bad row is reported with its reason, and the others are executed."


@command(trouble=BAD_ROW)
@click.option(
    "--batches",
    type=FILE,
    required=True,
    help="Read the batches from this CSV file, with the columns ref,sku,qty,eta. It may be gzipped (.gz).",
)
@click.option(
    "--orders",
    type=FILE,
    required=True,
    help="Read the order lines from this CSV file, with the columns orderid,sku,qty. It may be gzipped (.gz).",
)
@json_option("Print an object with the members rows and bad_rows.")
def load(batches: Path, orders: Path, as_json: bool) -> None:
    """Execute each row of two CSV files as a command.

    A second run changes nothing. The relay updates the views.
    """
    from allocation import bootstrap
    from allocation.adapters.csv.rows import count_rows
    from allocation.adapters.schemas.commands import COMMANDS
    from allocation.entrypoints.load import collect_garbage_rarely

    collect_garbage_rarely()
    settings = settings_with("database_url")
    with progress("rows", lambda: count_rows(batches) + count_rows(orders)) as bar:
        loader = bootstrap.create_loader(settings, report=lambda line: bar.echo(visible(line), err=True), done=bar.add)
        loader.load(batches, COMMANDS["add_batch"])
        loader.load(orders, COMMANDS["allocate"])
    if as_json:
        print_json({"rows": bar.count, "bad_rows": loader.bad_rows})
    else:
        click.echo(f"Rows: {bar.count}. Bad rows: {loader.bad_rows}")
    sys.exit(Exit.TROUBLE if loader.bad_rows else Exit.DONE)


@command(trouble=BAD_ROW)
@click.argument("folder", type=click.Path(path_type=Path), help="Use batches.csv and orders.csv in this folder.")
@json_option("Print an object with the members lines, allocated, new, short and bad_rows.")
def allocate_from_csv(folder: Path, as_json: bool) -> None:
    """Allocate the order lines in FOLDER/orders.csv to the batches in FOLDER/batches.csv.

    The result is FOLDER/allocations.csv. A second run changes nothing. The command needs no server.
    """
    from allocation.adapters.csv.rows import count_rows
    from allocation.entrypoints.allocate_from_csv import allocate_from_csv

    with progress("rows", lambda: count_rows(folder / "orders.csv")) as bar:
        summary = allocate_from_csv(folder, report=lambda line: bar.echo(visible(line), err=True), done=bar.add)
    if as_json:
        print_json(
            {
                "lines": summary.lines,
                "allocated": summary.allocated,
                "new": summary.new,
                "short": summary.short,
                "bad_rows": summary.refused,
            }
        )
    else:
        click.echo(
            f"Allocated lines: {summary.allocated} of {summary.lines} ({summary.new} in this run). "
            f"Out of stock: {summary.short}. Bad rows: {summary.refused}"
        )
    sys.exit(Exit.TROUBLE if summary.refused else Exit.DONE)
