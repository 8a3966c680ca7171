"""The exit codes of every command, and the errors that end a command with them.

If Ctrl-C or a closed pipe ends a command, the command dies by SIGINT or SIGPIPE. A shell shows 130 or 141.
"""

import logging
from enum import IntEnum
from typing import IO, Any

import click

from allocation.config import log_form
from readmodel import logs

logger = logging.getLogger(__name__)


class Exit(IntEnum):
    DONE = 0
    TROUBLE = 1
    USAGE = 2
    NOT_RUN = 3


MEANINGS = {
    Exit.DONE: "The command succeeded, and found no trouble.",
    Exit.TROUBLE: "The command found trouble, for example a breach, a difference or a bad row.",
    Exit.USAGE: "The command line is wrong.",
    Exit.NOT_RUN: "The command could not start or finish. For example, a store is unavailable, or a setting is wrong.",
}


class Failure(click.ClickException):
    """The end of a command, with a message that says what to do. It becomes one line of visible characters.

    If the log consists of JSON, that line is a record of the log.
    """

    def __init__(self, message: str) -> None:
        super().__init__(in_one_line(message))

    def show(self, file: IO[Any] | None = None) -> None:
        if log_form() == logs.JSON:
            logs.configure("allocation", logs.JSON)  # It is not configured if the command line is wrong.
            logger.error(self.format_message())
        else:
            super().show(file)


class Trouble(Failure):
    """The command ran, and found trouble."""

    exit_code = Exit.TROUBLE


class BadUsage(Failure):
    """The command line is wrong."""

    exit_code = Exit.USAGE


class NotRun(Failure):
    """The command could not start or finish."""

    exit_code = Exit.NOT_RUN


def in_one_line(text: str) -> str:
    return logs.visible(" ".join(text.split()))
