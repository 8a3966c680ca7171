"""The program `allocation`: its help has sections, and each of its errors is one line."""

import os
import select
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from allocation.entrypoints.cli.commands import Group, summaries, write_exit_codes, write_section
from allocation.entrypoints.cli.errors import reported
from allocation.entrypoints.cli.exits import MEANINGS, BadUsage, Exit

NAME = "allocation"


class Program(Group):
    """A group with the commands of all sections. `sections` maps the title of each section to its commands."""

    def __init__(self, *arguments: Any, sections: Mapping[str, Sequence[click.Command]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.sections = sections
        for commands in sections.values():
            for command in commands:
                self.add_command(command)

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in self.sections.items():
            write_section(formatter, title, summaries(commands))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        write_exit_codes(formatter, dict(MEANINGS))

    def make_context(
        self,
        info_name: str | None,  # noqa: ARG002  # It is the file that Python runs, so `python -m` has another one.
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        with one_line_errors():
            return super().make_context(NAME, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        with one_line_errors():
            return super().invoke(ctx)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Report an expected error in one line. Any other error is a bug: print its traceback. The exit code says which.

    Ctrl-C and a closed pipe end the process without a message, as they end other programs.
    """
    try:
        yield
    except KeyboardInterrupt:
        die_by(signal.SIGINT)
    except NoArgsIsHelpError:
        raise  # It shows the help.
    except click.UsageError as error:
        raise BadUsage(usage_message(error)) from error
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        if isinstance(error, BrokenPipeError) and is_output_closed():
            die_by(signal.SIGPIPE)
        if (report := reported(error)) is not None:
            raise report from error
        sys.excepthook(type(error), error, error.__traceback__)
        raise click.exceptions.Exit(Exit.NOT_RUN) from error


def usage_message(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else NAME
    return f"{error.format_message().rstrip('.')}. Run {path} -h for help"


def is_output_closed() -> bool:
    """Return whether the reader of standard output or standard error has gone, for example because it is `head`."""
    poll = select.poll()
    for descriptor in (1, 2):
        poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def die_by(number: signal.Signals) -> None:
    """End the process by this signal. So a shell ends its loop after a Ctrl-C, and shows the usual exit code."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
