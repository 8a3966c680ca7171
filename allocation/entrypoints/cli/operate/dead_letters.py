"""The subcommands for events and messages that a handler could not handle."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from allocation.entrypoints.cli.commands import Group, json_option
from allocation.entrypoints.cli.exits import BadUsage, Trouble
from allocation.entrypoints.cli.output import print_json
from allocation.entrypoints.cli.settings import settings_with
from readmodel.logs import visible

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from allocation.adapters.postgres.dead_letters import Letter, Selection

LONGEST_SHOWN = 100
NO_SUCH_LETTER = "There is no such letter."


@click.group("dead", cls=Group)
def dead() -> None:
    """List, show, retry or drop dead letters.

    A dead letter is an event or a message that a handler could not handle.
    """


@dead.command("list")
@click.option("--subscription", help="List only the letters of this subscription, of views, or of a channel.")
@click.option("--waiting", is_flag=True, help="Also list the letters that wait behind another one.")
@json_option("Print an object for each letter.")
def list_letters(subscription: str | None, waiting: bool, as_json: bool) -> None:
    """List the letters, the oldest first."""
    from allocation.adapters.postgres.dead_letters import DEAD, RETRY, WAITING, counts, letters

    states = [DEAD, RETRY, *([WAITING] if waiting else [])]
    with database() as connection:
        for letter in letters(connection, states, subscription):
            if as_json:
                print_json(as_dict(letter))
            else:
                click.echo(in_one_line(letter))
        found = {name: count for name, count in counts(connection).items() if subscription in (None, name)}
    if as_json:
        return
    for name, count in found.items():
        click.echo(f"{name}: {count.dead} dead, {count.retrying} to retry, {count.waiting} waiting")
    if not found:
        click.echo("There are no dead letters")


@dead.command(trouble=NO_SUCH_LETTER)
@click.argument("number", type=click.IntRange(1), metavar="ID", help="The id of the letter.")
@json_option("Print an object.")
def show(number: int, as_json: bool) -> None:
    """Show the event or the message, the error, and how many letters wait behind it."""
    from allocation.adapters.postgres.dead_letters import waiting_behind

    with database() as connection:
        letter = require(connection, number)
        members = as_dict(letter) | {"waiting": waiting_behind(connection, letter)}
    if as_json:
        print_json(members)
        return
    for name, value in members.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        click.echo(f"{name + ':':<13} {visible(shown)}")


def with_selection(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.argument(
            "numbers", type=click.IntRange(1), metavar="[ID]...", nargs=-1, help="The ids of one or more letters."
        ),
        click.option("--all", "every", is_flag=True, help="Select all dead letters instead."),
        click.option("--subscription", help="Limit --all to this subscription, to views, or to a channel."),
    ):
        command = option(command)
    return command


@dead.command(trouble="There is no such letter, or it waits behind another one. No letter is changed.")
@with_selection
@json_option("Print an object with the member ids.")
def retry(numbers: tuple[int, ...], every: bool, subscription: str | None, as_json: bool) -> None:
    """Let the relay or the consumer handle letters again.

    It does so within seconds, and then handles the letters that wait behind them.
    """
    from allocation.adapters.postgres.dead_letters import WAITING, first_with_subject, mark_for_retry

    selection = selected(numbers, every, subscription)
    with database() as connection:
        for number in numbers:
            letter = require(connection, number)
            if letter.state == WAITING:
                first = first_with_subject(connection, letter)
                raise Trouble(f"The letter {number} waits behind the letter {first}. Retry that one")
        report("Letters to retry", mark_for_retry(connection, selection), as_json)


@dead.command(trouble="There is no such letter. No letter is deleted.")
@with_selection
@json_option("Print an object with the member ids.")
def drop(numbers: tuple[int, ...], every: bool, subscription: str | None, as_json: bool) -> None:
    """Delete letters, so that the letters behind them continue.

    Nobody handles a deleted letter any more.
    """
    from allocation.adapters.postgres.dead_letters import drop

    selection = selected(numbers, every, subscription)
    with database() as connection:
        for number in numbers:
            require(connection, number)
        report("Dropped letters", drop(connection, selection), as_json)


def report(what: str, ids: list[int], as_json: bool) -> None:
    if as_json:
        print_json({"ids": sorted(ids)})
    else:
        click.echo(f"{what}: {len(ids)}")


def selected(numbers: tuple[int, ...], every: bool, subscription: str | None) -> "Selection":
    from allocation.adapters.postgres.dead_letters import Selection

    if every == bool(numbers):
        raise BadUsage("Name the letters by their ids, or use --all")
    if subscription is not None and not every:
        raise BadUsage("Use --subscription only with --all")
    return Selection(numbers, every, subscription)


def require(connection: "Connection", number: int) -> "Letter":
    from allocation.adapters.postgres.dead_letters import letter

    found = letter(connection, number)
    if found is None:
        raise Trouble(f"There is no letter {number}. Perhaps it was handled. Run allocation dead list")
    return found


@contextmanager
def database() -> Iterator["Connection"]:
    """Yield a connection in a transaction. Commit at the end."""
    from allocation import components
    from allocation.adapters.postgres.driver.errors import translated_errors

    engine = components.create_engine(settings_with("database_url"), connections=1)
    try:
        with translated_errors(), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def as_dict(letter: "Letter") -> dict[str, Any]:
    """Return the members that the letter has. Times are ISO 8601, and a message is text."""
    members = {
        "id": letter.id,
        "subscription": letter.subscription,
        "state": letter.state,
        "batchref" if letter.position is None else "sku": letter.subject,
        "position": letter.position,
        "version": letter.version,
        "type": letter.type,
        "attempts": letter.attempts,
        "error": letter.error,
        "failed_at": letter.failed_at and letter.failed_at.isoformat(),
        "parked_at": letter.parked_at.isoformat(),
        "event": letter.data,
        "message": letter.message and letter.message.decode(errors="backslashreplace"),
    }
    return {name: value for name, value in members.items() if value is not None}


def in_one_line(letter: "Letter") -> str:
    error = letter.error or ""
    reason = f": {error[:LONGEST_SHOWN]}{'…' if len(error) > LONGEST_SHOWN else ''}" if error else ""
    what = "message" if letter.position is None else f"{letter.type} at position {letter.position}"
    noun = "attempt" if letter.attempts == 1 else "attempts"
    return visible(
        f"{letter.id}  {letter.state}  {letter.subscription}  {letter.subject}  {what}, "
        f"{letter.attempts} {noun} since {letter.parked_at:%Y-%m-%d %H:%M}{reason}"
    )
