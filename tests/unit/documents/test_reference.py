"""docs/reference.md has what the code has, and nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from allocation import components, relay_threads
from allocation.adapters.schemas.commands import COMMANDS
from allocation.bootstrap import create_query_app, create_web_app
from allocation.config import Settings
from allocation.entrypoints.cli.main import main
from allocation.entrypoints.relay.subscription import Subscription
from allocation.shutdown import Shutdown
from tests.support.documents.tables import documents, section
from tests.support.edge_client import EdgeClient
from tests.support.paths import ROOT

REFERENCE = "docs/reference.md"
UNREACHABLE = Settings(database_url="postgresql://u@127.0.0.1:1/d", redis_url="redis://127.0.0.1:1/0")
COMMAND_ROUTES = {f"/{name}" for name in COMMANDS}
PREVIEW = "/preview/{}"


def documented(heading: str, column: str) -> list[str]:
    """Return the cells of a column, without their backticks."""
    return [row[column].strip("`") for row in section(REFERENCE, heading).rows]


def test_the_settings_are_those_of_the_code() -> None:
    rows = section(REFERENCE, "Settings").rows
    shown = {row["variable"].strip("`"): row["default"].strip("`") for row in rows}
    assert len(shown) == len(rows)
    fields = Settings.model_fields.items()
    assert shown == {str(field.validation_alias or name.upper()): as_text(field.default) for name, field in fields}


def as_text(default: Any) -> str:
    """Return the value of the environment variable that gives this value."""
    if default in {None, ""}:
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_each_variable_in_code_and_documents_is_a_setting() -> None:
    settings = set(documented("Settings", "variable"))
    files = [path for name in ("allocation", "readmodel", "deploy") for path in (ROOT / name).rglob("*.*")]
    files += [ROOT / "docker-compose.yml", ROOT / "Dockerfile", ROOT / "Makefile", *documents()]
    used = {name: path for path in files if path.suffix != ".pyc" for name in variables_in(path)}
    assert {name: path for name, path in used.items() if name not in settings} == {}


def variables_in(path: Path) -> set[str]:
    return set(re.findall(r"\bALLOCATION_[A-Z_]+\b", path.read_text(errors="replace")))


def test_the_routes_are_those_of_the_edges() -> None:
    commands = routes_in("Commands")
    assert all(method == "POST" for method, _ in commands)
    assert PREVIEW in {path for _, path in commands}
    names = [path for _, path in commands if path != PREVIEW]
    previews = [f"/preview/{name}" for name in COMMANDS]
    reading = routes_in("Queries") + routes_in("Health and pages")
    assert all(method == "GET" for method, _ in reading)
    queries = [path for _, path in reading]
    assert sorted([*names, *previews, *queries]) == sorted(routes_of(create_web_app))
    assert sorted(queries) == sorted(routes_of(create_query_app))


def routes_in(heading: str) -> list[tuple[str, str]]:
    """Return the method and the path of each route. `{}` is a name in a path."""
    found = [re.fullmatch(r"([A-Z]+) ([^?]+)(?:\?.*)?", cell) for cell in documented(heading, "route")]
    return [(match[1], re.sub("<[^>]+>", "{}", match[2])) for match in found if match]


def routes_of(create_edge: Any) -> list[str]:
    """Return the paths that an edge describes. `{}` is a name in a path."""
    client = EdgeClient(create_edge(UNREACHABLE))
    routes = [route["path"] for route in client.get("/").json["routes"]]
    client.close()
    return [re.sub(r"{\w+}", "{}", path) for path in routes]


def test_the_headers_are_those_of_the_description() -> None:
    """OpenAPI describes `Authorization` as a security scheme, and no answer with the status 405."""
    named = {name for cell in documented("Headers", "header") for name in re.findall("[A-Za-z-]+", cell)}
    client = EdgeClient(create_web_app(UNREACHABLE))
    described = set(headers_in(client.get("/openapi.json").json))
    client.close()
    assert named == described | {"Authorization", "Allow"}


def headers_in(node: Any) -> Iterator[str]:
    """Yield the name of each header that a part of an OpenAPI document describes."""
    if isinstance(node, list):
        for part in node:
            yield from headers_in(part)
    elif isinstance(node, dict):
        if node.get("in") == "header":
            yield node["name"]
        if "description" in node and isinstance(node.get("headers"), dict):
            yield from node["headers"]
        for part in node.values():
            yield from headers_in(part)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_body_of_a_command_is_that_of_its_schema(name: str) -> None:
    [body] = [row["body"] for row in section(REFERENCE, "Commands").rows if row["route"] == f"`POST /{name}`"]
    fields = COMMANDS[name].schema.model_fields.items()
    assert members_in(body) == {(member, field.is_required()) for member, field in fields}


def members_in(body: str) -> set[tuple[str, bool]]:
    """Return the name of each member of the first JSON object, and whether it is required."""
    match = re.match(r"`\{(.*?)\}`", body)
    assert match
    names = [part.partition(":")[0].strip() for part in re.sub(r"\[.*\]", "", match[1]).split(",")]
    return {(name.rstrip("?"), not name.endswith("?")) for name in names}


def test_the_subcommands_are_those_of_the_program() -> None:
    found = {name: options_in(row["options"]) for name, row in subcommand_rows()}
    assert found == {name: options_of(command) for name, command in subcommands(main, "allocation")}


def subcommand_rows() -> Iterator[tuple[str, dict[str, str]]]:
    for row in section(REFERENCE, "Commands of `allocation`").rows:
        match = re.match(r"`(allocation(?: [a-z][a-z-]*)+)", row["command"])
        assert match, row["command"]
        yield match[1], row


def options_in(cell: str) -> set[str]:
    return set(re.findall(r"--[a-z-]+", cell))


def options_of(command: click.Command) -> set[str]:
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    return {name for option in options for name in option.opts if name.startswith("--")}


def subcommands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield each command that is no group, with the words that start it."""
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if isinstance(command, click.Group):
            yield from subcommands(command, f"{name} {word}")
        elif command is not None:
            yield f"{name} {word}", command


def test_the_channels_are_those_of_the_code() -> None:
    rows = section(REFERENCE, "Messages").rows
    named = {row["name"].strip("`") for row in rows if row["kind"] == "Redis channel"}
    source = [path.read_text() for path in (ROOT / "allocation").rglob("*.py")]
    assert named == {name for text in source for name in re.findall(r'^CHANNEL = "(.+)"$', text, re.MULTILINE)}


def test_each_subscription_has_a_message() -> None:
    rows = section(REFERENCE, "Messages").rows
    sending = sorted(row["subscription"].strip("`") for row in rows if row["direction"] == "out")
    assert sending == sorted(subscription_names())
    assert all(row["subscription"] == "" for row in rows if row["direction"] == "in")


def subscription_names() -> list[str]:
    engine = components.create_engine(UNREACHABLE, direct=True)
    log, store = components.create_log(UNREACHABLE, engine), components.create_store(UNREACHABLE)
    threads = relay_threads.create_threads(UNREACHABLE, engine, log, store, Shutdown())
    return [thread.name for thread in threads if isinstance(thread, Subscription)]
