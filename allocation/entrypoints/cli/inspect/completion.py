"""The subcommand that makes a shell complete the words of a command line."""

import click
from click.shell_completion import get_completion_class

from allocation.entrypoints.cli.commands import command

SHELLS = ("bash", "zsh", "fish")


@command()
@click.argument("shell", type=click.Choice(SHELLS), help="Write the script for this shell.")
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that makes a shell complete commands, options and their values.

    For bash, add this line to ~/.bashrc: eval "$(allocation completion bash)".
    """
    program = ctx.find_root()
    name = program.info_name or ""
    if found := get_completion_class(shell):
        click.echo(found(program.command, {}, name, f"_{name.upper()}_COMPLETE").source())
