"""Commands and groups of commands whose help consists of whole sentences, and ends with the exit codes."""

from collections.abc import Callable, Iterable
from typing import Any

import click

from allocation.entrypoints.cli.exits import MEANINGS, Exit

Rows = list[tuple[str, str]]


class Command(click.Command):
    """A command. `trouble` is the sentence that says when its exit code is 1. It is None if that never happens."""

    def __init__(self, *arguments: Any, trouble: str | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.trouble = trouble

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        write_exit_codes(formatter, {**MEANINGS, Exit.TROUBLE: self.trouble})


class Group(click.Group):
    """A group of commands. Its help shows the first sentence of each command."""

    command_class = Command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        write_section(formatter, "Commands", summaries(self.commands.values()))


def command(name: str | None = None, *, trouble: str | None = None) -> Callable[[Callable[..., Any]], Command]:
    """Make a command of a function. Its docstring is the help. See Command."""
    return click.command(name, cls=Command, trouble=trouble)


def json_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the option `--json`, which the function receives as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=text)


def summaries(commands: Iterable[click.Command]) -> Rows:
    return [(command.name or "", summary(command)) for command in commands if not command.hidden]


def summary(command: click.Command) -> str:
    """Return the first sentence of the command's help."""
    paragraph = " ".join((command.help or "").partition("\n\n")[0].split())
    sentence, stop, _ = paragraph.partition(". ")
    return sentence + stop.strip()


def write_section(formatter: click.HelpFormatter, title: str, rows: Rows) -> None:
    with formatter.section(title):
        formatter.write_dl(rows)


def write_exit_codes(formatter: click.HelpFormatter, meanings: dict[Exit, str | None]) -> None:
    rows = [(str(int(code)), meaning) for code, meaning in meanings.items() if meaning is not None]
    write_section(formatter, "Exit codes", rows)
