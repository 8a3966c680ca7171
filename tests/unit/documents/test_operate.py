"""docs/operate.md fits the code: its subcommands, its sizes and its headings."""

import re
from pathlib import Path

import click
import pytest
import yaml

from allocation.bootstrap import LANE_CONNECTIONS, RELAY_CONNECTIONS
from allocation.entrypoints.cli.main import main
from tests.support.documents.shell import Block, blocks_of
from tests.support.documents.tables import anchor, documents, links_of, read, section, sections_of
from tests.support.paths import ROOT
from tests.support.programs import docker

GUIDE = "docs/operate.md"
HEALTH_CONNECTIONS = 1
PARTS = ["What you see", "What it means", "What to do", "What not to do"]
OF_TODAY = [path for path in documents() if path.name != "CHANGELOG.md" and path.parent.name != "adr"]


def runbooks() -> list[str]:
    """Return the headings after "Runbooks"."""
    headings = [one.heading for one in sections_of(read(GUIDE))]
    return headings[headings.index("Runbooks") + 1 :]


def test_the_list_of_runbooks_has_each_of_them() -> None:
    listed = links_of("\n".join(row["runbook"] for row in section(GUIDE, "Runbooks").rows))
    assert list(listed) == [f"#{anchor(heading)}" for heading in runbooks()]


def test_the_list_of_runbooks_has_the_alerts_of_each() -> None:
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    rules = [(rule["annotations"]["runbook"], rule["alert"]) for group in groups for rule in group["rules"]]
    for row in section(GUIDE, "Runbooks").rows:
        [link] = links_of(row["runbook"])
        alerts = row["alerts of `deploy/prometheus/alerts.yml`"]
        assert re.findall("`([^`]+)`", alerts) == [alert for runbook, alert in rules if runbook == f"{GUIDE}{link}"]


@pytest.mark.parametrize("heading", runbooks())
def test_a_runbook_has_four_parts(heading: str) -> None:
    assert re.findall(r"^\*\*([^*]+)\.\*\*", section(GUIDE, heading).text, re.MULTILINE) == PARTS


def test_the_numbers_of_connections_are_those_of_the_code() -> None:
    rows = {row["process"]: row["connections at most"] for row in section(GUIDE, "Connections to PostgreSQL").rows}
    assert rows["each worker of `serve`"] == f"`ALLOCATION_THREADS` + {LANE_CONNECTIONS + HEALTH_CONNECTIONS}"
    assert rows["each relay"] == str(RELAY_CONNECTIONS)


@pytest.mark.parametrize("path", OF_TODAY, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_subcommand_of_a_document_exists(path: Path) -> None:
    inline = re.findall(r"`(?:\.venv/bin/)?allocation ([a-z][^`]*)`", path.read_text())
    assert [words for words in inline if not exists(main, words.split())] == []


def exists(command: click.Command, words: list[str]) -> bool:
    """Return whether the words name a command, with options that it has."""
    if isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0]) if words else command
        return found is not None and (found is command or exists(found, words[1:]))
    options = {name for parameter in command.params for name in parameter.opts}
    return {word.partition("=")[0] for word in words if word.startswith("-")} <= options


def test_every_block_of_commands_is_found() -> None:
    """A fence of another form would hide its commands from the tests."""
    fences = re.findall(r"^ *```(\w+)$", read(GUIDE), re.MULTILINE)
    found = [block for one in sections_of(read(GUIDE)) for block in blocks_of(one)]
    assert [block.language for block in found] == fences
    assert all(isinstance(block, Block) and block.text.strip() for block in found)


def compose_commands() -> list[str]:
    """Return each command of Docker Compose in the blocks of the guide, without its comment."""
    blocks = [block.text for one in sections_of(read(GUIDE)) for block in blocks_of(one)]
    return [words for text in blocks for words in re.findall(r"docker (compose [^#&|;\n]+)", text)]


@pytest.mark.parametrize("words", sorted(set(compose_commands())))
def test_a_command_of_compose_names_services_that_exist(words: str) -> None:
    docker.main(words.split())
