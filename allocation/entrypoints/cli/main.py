"""The commands of the console script `allocation`."""

import sys

import click

from allocation.entrypoints.cli import processes
from allocation.entrypoints.cli import tasks as tools
from readmodel import logs

EXPECTED = (
    ("allocation.adapters.csv.rows", "BadFile"),
    ("allocation.config", "BadSettings"),
    ("allocation.local.errors", "CannotStart"),
    ("allocation.service_layer.unit_of_work", "RetryableError"),
    ("allocation.service_layer.unit_of_work", "StoreUnavailable"),
    ("readmodel.projector.rebuild", "RebuildFailed"),
    ("redis.exceptions", "RedisError"),
)


class Commands(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        """Say what the user can do something about in one line. Anything else is a bug, and shows where."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if isinstance(error, expected_errors()):
                raise click.ClickException(" ".join(str(error).split())) from error
            raise


def expected_errors() -> tuple[type[Exception], ...]:
    """Those that can have been raised: of modules that this process has loaded, without loading any other."""
    return tuple(getattr(sys.modules[module], name) for module, name in EXPECTED if module in sys.modules)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """An order-line allocation service with a separate read store."""
    logs.configure()


for module in (processes, tools):
    for command in vars(module).values():
        if isinstance(command, click.Command):
            main.add_command(command)


if __name__ == "__main__":
    main()
