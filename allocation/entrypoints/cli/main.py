"""The console script `allocation`."""

import logging
import sys

import click

from allocation.entrypoints.cli import access_tokens, csv_files, database, processes, service, verification, views
from readmodel import logs

EXPECTED = (
    ("allocation.adapters.csv.rows", "BadFile"),
    ("allocation.adapters.postgres.log.event_log", "LogBehind"),
    ("allocation.adapters.postgres.schema", "MigrationFailed"),
    ("allocation.config", "BadSettings"),
    ("allocation.entrypoints.verification", "StillDifferent"),
    ("allocation.local.errors", "CannotStart"),
    ("allocation.service_layer.unit_of_work", "RetryableError"),
    ("allocation.service_layer.unit_of_work", "StoreUnavailable"),
    ("readmodel.projector.verification.differences", "ViewsBehind"),
    ("readmodel.projector.rebuild", "RebuildFailed"),
    ("readmodel.store.errors", "ModelAbsent"),
    ("readmodel.store.records.presence", "RedisShared"),
    ("redis.exceptions", "RedisError"),
)
"""The module and the name of each error that the user can fix or retry."""


class ReportingGroup(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        """Report an expected error in one line. Any other error is a bug: Python prints its traceback."""
        try:
            return super().invoke(ctx)
        except click.UsageError:
            raise
        except click.ClickException as error:
            raise click.ClickException(in_one_line(error.message)) from error
        except Exception as error:
            if isinstance(error, loaded_errors()):
                raise click.ClickException(in_one_line(str(error))) from error
            raise


def in_one_line(text: str) -> str:
    return logs.visible(" ".join(text.split()))


def loaded_errors() -> tuple[type[Exception], ...]:
    """Return the expected errors whose modules this process has loaded. The process can't raise the other errors."""
    return tuple(getattr(sys.modules[module], name) for module, name in EXPECTED if module in sys.modules)


@click.group(cls=ReportingGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """An order-line allocation service with a separate read store."""
    logs.configure()
    logging.getLogger("alembic").setLevel(logging.WARNING)  # At INFO it logs each of its plugins.


main.add_command(processes.run)
main.add_command(processes.serve)
main.add_command(processes.queries)
main.add_command(processes.relay)
main.add_command(processes.consumer)
main.add_command(database.migrate)
main.add_command(database.audit)
main.add_command(views.rebuild)
main.add_command(views.adopt)
main.add_command(views.digest)
main.add_command(verification.verify)
main.add_command(verification.repair)
main.add_command(csv_files.load)
main.add_command(csv_files.allocate_from_csv)
main.add_command(service.env)
main.add_command(service.check)
main.add_command(access_tokens.access_token)


if __name__ == "__main__":
    main()
