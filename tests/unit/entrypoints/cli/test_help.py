"""The help of every command: a section, whole sentences, and the exit codes."""

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from allocation.entrypoints.cli.commands import Command, Group
from allocation.entrypoints.cli.exits import MEANINGS, Exit
from allocation.entrypoints.cli.main import SECTIONS, main
from tests.support.paths import ROOT


def all_commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield each command and each group below this group, with the words that call it."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from all_commands(command, *path, name)


COMMANDS = dict(all_commands(main))
each_command = pytest.mark.parametrize(("path", "command"), COMMANDS.items(), ids=[" ".join(path) for path in COMMANDS])
FINDS_TROUBLE = {"verify", "repair", "audit", "check", "load", "allocate-from-csv"}


def help_of(*path: str) -> str:
    """Return the help without line breaks inside a sentence."""
    shown = CliRunner().invoke(main, [*path, "-h"], terminal_width=1_000)
    assert shown.exit_code == 0
    return shown.output


def rows_of(title: str, text: str) -> dict[str, str]:
    """Return the rows below a title of a help text."""
    lines = text.partition(f"\n{title}:\n")[2].partition("\n\n")[0].splitlines()
    return dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in lines)


def is_sentence(text: str) -> bool:
    return re.fullmatch(r"[A-Z].*\.", text, re.DOTALL) is not None


def test_the_help_shows_each_command_in_its_section() -> None:
    assert list(SECTIONS) == ["Run", "Operate", "Load", "Inspect"]
    shown = {title: rows_of(title, help_of()) for title in SECTIONS}
    assert {title: list(rows) for title, rows in shown.items()} == {
        title: [command.name for command in commands] for title, commands in SECTIONS.items()
    }
    assert all(is_sentence(summary) for rows in shown.values() for summary in rows.values()), shown


def test_no_command_is_in_two_sections() -> None:
    names = [command.name for commands in SECTIONS.values() for command in commands]
    assert len(names) == len(set(names)) == len(main.commands)


@each_command
def test_the_help_of_a_command_consists_of_sentences(path: tuple[str, ...], command: click.Command) -> None:
    assert isinstance(command, Command | Group)
    for paragraph in (command.help or "").split("\n\n"):
        assert is_sentence(" ".join(paragraph.split())), paragraph
    for parameter in command.params:
        assert isinstance(parameter, click.Option | click.Argument)
        assert is_sentence(parameter.help or ""), f"{parameter.name}: {parameter.help}"


@each_command
def test_the_help_of_a_command_has_its_exit_codes(path: tuple[str, ...], command: click.Command) -> None:
    if isinstance(command, click.Group):
        return
    assert isinstance(command, Command)
    expected = {str(int(code)): meaning for code, meaning in MEANINGS.items() if code != Exit.TROUBLE}
    if command.trouble is not None:
        assert is_sentence(command.trouble)
        expected["1"] = command.trouble
    assert rows_of("Exit codes", help_of(*path)) == expected


def test_commands_that_find_trouble_say_so() -> None:
    """Another command never ends with this code: see the tests of `Program`."""
    found = {" ".join(path) for path, command in COMMANDS.items() if getattr(command, "trouble", None)}
    assert found >= FINDS_TROUBLE


def test_the_help_of_the_program_has_the_exit_codes() -> None:
    assert rows_of("Exit codes", help_of()) == {str(int(code)): meaning for code, meaning in MEANINGS.items()}


def test_the_version_names_everything_that_is_stored() -> None:
    shown = CliRunner().invoke(main, ["--version"])
    newest = max(path.name[:4] for path in (ROOT / "allocation/adapters/postgres/migrations/versions").glob("0*.py"))
    pattern = rf"allocation \S+ \(schema {newest}, Redis Functions readmodel_\d+, views in format \d+\)\n"
    assert re.fullmatch(pattern, shown.output), shown.output
    assert shown.exit_code == 0
