"""docs/reference.md describes the sections, the exit codes and the JSON of the commands that exist."""

import re
from collections.abc import Iterator

import click

from allocation.entrypoints.cli.exits import MEANINGS
from allocation.entrypoints.cli.main import SECTIONS
from tests.support.paths import ROOT

REFERENCE = (ROOT / "docs" / "reference.md").read_text()


def rows_below(heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading."""
    table = re.search(rf"\n#+ {re.escape(heading)}\n.*?\n\|[- |]+\|\n(.*?)\n\n", REFERENCE, re.DOTALL)
    assert table is not None, heading
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in table[1].splitlines()]


def leaves(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name, below in command.commands.items():
        yield from leaves(below, f"{path} {name}")


COMMANDS = {
    title: dict(leaf for command in commands for leaf in leaves(command, command.name or ""))
    for title, commands in SECTIONS.items()
}


def test_each_command_is_in_its_section() -> None:
    shown = [
        (re.match("`allocation ([a-z -]*[a-z])", row[0]), row[1]) for row in rows_below("Commands of `allocation`")
    ]
    assert [(match[1], title) for match, title in shown if match] == [
        (path, title) for title, commands in COMMANDS.items() for path in commands
    ]


def test_each_command_that_finds_trouble_says_when() -> None:
    table = REFERENCE.partition("| command | 1 means |\n|---|---|\n")[2].partition("\n\n")[0]
    documented = {name for line in table.splitlines() for name in re.findall("`([a-z -]+)`", line.split("|")[1])}
    assert documented == {
        path
        for commands in COMMANDS.values()
        for path, command in commands.items()
        if getattr(command, "trouble", None)
    }


def test_the_codes_are_those_of_the_program() -> None:
    codes = [row[0] for row in rows_below("Exit codes")]
    assert codes[: len(MEANINGS)] == [str(int(code)) for code in MEANINGS]


def test_each_command_with_json_has_its_members_described() -> None:
    documented = {name for row in rows_below("JSON") for name in re.findall("`([a-z -]+)`", row[0])}
    with_json = {
        path
        for commands in COMMANDS.values()
        for path, command in commands.items()
        if any(parameter.name == "as_json" for parameter in command.params)
    }
    assert documented == with_json
