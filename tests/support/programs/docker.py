"""Stands in for Docker, which can't run in the suite. It checks the words of `docker compose`, and runs nothing.

The services and their subcommands are those of docker-compose.yml and of `allocation`. It ends with an error if a word
is wrong.
"""

import argparse
import sys

import click

from allocation.entrypoints.cli.main import main as allocation
from tests.support.e2e.compose import OURS, SERVICES

FLAGS = {
    "build": (),
    "down": ("--volumes",),
    "logs": ("--follow",),
    "ps": (),
    "restart": (),
    "run": ("--rm", "--no-deps"),
    "stop": (),
    "up": ("--build", "--detach", "--wait"),
}
VALUES = {"logs": ("--tail", "--since"), "up": ("--scale",)}


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser("docker", allow_abbrev=False)
    verbs = parser.add_subparsers(required=True).add_parser("compose").add_subparsers(dest="verb", required=True)
    for verb, flags in FLAGS.items():
        options = verbs.add_parser(verb, allow_abbrev=False)
        for flag in flags:
            options.add_argument(flag, action="store_true")
        for value in VALUES.get(verb, ()):
            options.add_argument(value)
        if verb == "run":
            options.add_argument("service", choices=sorted(OURS))
            options.add_argument("subcommand", nargs=argparse.REMAINDER)
        else:
            options.add_argument("services", nargs="*", choices=[*sorted(SERVICES), []])
    found = parser.parse_args(words)
    if found.verb == "run":
        require_subcommand(allocation, "allocation", found.subcommand)


def require_subcommand(command: click.Command, name: str, words: list[str]) -> None:
    """Parse the words as `allocation` does. Raise UsageError if it would."""
    context = click.Context(command, info_name=name)
    if isinstance(command, click.Group):
        word, subcommand, rest = command.resolve_command(context, words)
        assert subcommand
        require_subcommand(subcommand, str(word), rest)
    else:
        # Click keeps the options of its first parse, so they must be those of the program.
        command.make_context(name, words, help_option_names=["-h", "--help"])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except click.UsageError as error:
        sys.exit(error.format_message())
