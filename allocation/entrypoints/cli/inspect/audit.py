"""The subcommand that checks the invariants of the database."""

from allocation.entrypoints.cli.commands import command, json_option
from allocation.entrypoints.cli.exits import Trouble
from allocation.entrypoints.cli.output import line_of_json, progress
from allocation.entrypoints.cli.settings import settings_with
from readmodel.logs import visible


@command(trouble="An invariant is broken.")
@json_option("Print each invariant as a line of JSON, with the members invariant, breaches and example.")
def audit(as_json: bool) -> None:
    """Check the invariants of the database, while other processes write.

    For each invariant, print ok, or the number of breaches and an example.
    """
    from allocation import components
    from allocation.adapters.postgres.checks.audit import BREACHES, audit

    broken = 0
    engine = components.create_engine(settings_with("database_url"), direct=True)
    with progress("invariants", lambda: len(BREACHES)) as bar:
        for finding in audit(engine):
            broken += finding.breaches > 0
            example = visible(str(finding.example))
            noun = "breach" if finding.breaches == 1 else "breaches"
            result = f"{finding.breaches} {noun}, for example {example}" if finding.breaches else "ok"
            bar.echo(line_of_json(finding._asdict()) if as_json else f"{finding.invariant}: {result}")
            bar.add()
    if broken:
        raise Trouble(
            f"Broken invariants: {broken}. Find the program that has changed these rows. Then correct them, or restore "
            "the database"
        )
