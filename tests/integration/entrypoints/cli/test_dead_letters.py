"""The subcommand `allocation dead`."""

import json
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.parked_events import Retries
from allocation.adapters.postgres.parked_messages import ParkedMessages
from allocation.adapters.postgres.subscriptions import locked_cursor
from tests.support.entrypoints.in_process import Ended, InProcess
from tests.support.entrypoints.poison import insert_poison, letters, states

Dead = Callable[..., Ended]


@pytest.fixture
def dead(cli: InProcess) -> Dead:
    """Run `allocation dead` with these words."""
    return lambda *words: cli.run("dead", *words)


@pytest.fixture
def parked(engine: Engine) -> list[int]:
    """Park a dead event, an event behind it, a dead event of another SKU, and a dead message. Return their ids."""
    positions = [insert_poison(engine, *event) for event in (("S", 1), ("S", 2), ("T", 1))]
    errors = ["KeyError: 'line' (a.py, line 7)", None, "ValueError"]
    with locked_cursor(engine, "line_allocated") as cursor:
        assert cursor is not None
        cursor.park(dict(zip(positions, errors, strict=True)), positions[-1], Retries(attempts=1))
    ParkedMessages(engine, "a_channel", Retries(attempts=1)).park("b1", b'{"qty": 1}\xff', "a bug")
    return [letter.id for letter in letters(engine)]


def test_list_shows_each_letter_in_a_line(dead: Dead, parked: list[int]) -> None:
    result = dead("list")
    first, third, message, channel, subscription = result.out.splitlines()
    assert first.startswith(f"{parked[0]}  dead  line_allocated  S  Allocated at position ")
    assert first.endswith(": KeyError: 'line' (a.py, line 7)")
    assert third.startswith(f"{parked[2]}  dead  line_allocated  T  ")
    assert message.startswith(f"{parked[3]}  dead  a_channel  b1  message, 1 attempt since ")
    assert channel == "a_channel: 1 dead, 0 to retry, 0 waiting"
    assert subscription == "line_allocated: 2 dead, 0 to retry, 1 waiting"
    assert result.code == 0
    assert len(dead("list", "--waiting").out.splitlines()) == 6
    assert len(dead("list", "--subscription", "a_channel").out.splitlines()) == 2


def test_list_prints_json(dead: Dead, parked: list[int]) -> None:
    found = [json.loads(line) for line in dead("list", "--json", "--waiting").out.splitlines()]
    assert [one["id"] for one in found] == parked
    assert [one["state"] for one in found] == ["dead", "waiting", "dead", "dead"]
    assert (found[0]["sku"], found[0]["event"]) == ("S", {"type": "Allocated"})
    assert (found[3]["batchref"], found[3]["message"]) == ("b1", '{"qty": 1}\\xff')


def test_list_says_that_there_is_none(dead: Dead) -> None:
    assert (dead("list").out, dead("list", "--json").out) == ("There are no dead letters\n", "")


def test_show_has_the_event_the_error_and_the_waiting(dead: Dead, parked: list[int]) -> None:
    shown = dict(line.split(None, 1) for line in dead("show", str(parked[0])).out.splitlines())
    assert (shown["error:"], shown["event:"]) == ("KeyError: 'line' (a.py, line 7)", '{"type": "Allocated"}')
    assert (shown["waiting:"], shown["attempts:"]) == ("1", "1")
    assert json.loads(dead("show", str(parked[3]), "--json").out)["message"] == '{"qty": 1}\\xff'


def test_retry_marks_only_what_is_first(dead: Dead, parked: list[int], engine: Engine) -> None:
    assert dead("retry", str(parked[0])).out == "Letters to retry: 1\n"
    assert states(engine)[:2] == [("S", 1, "retry"), ("S", 2, "waiting")]
    result = dead("retry", str(parked[2]), str(parked[1]))
    assert result.err == f"Error: The letter {parked[1]} waits behind the letter {parked[0]}. Retry that one\n"
    assert (result.code, states(engine)[2]) == (1, ("T", 1, "dead"))


def test_all_means_the_dead_letters_of_a_subscription(dead: Dead, parked: list[int], engine: Engine) -> None:
    assert dead("retry", "--all", "--subscription", "line_allocated").out == "Letters to retry: 2\n"
    assert [state for *_, state in states(engine)] == ["retry", "waiting", "retry", "dead"]
    assert dead("drop", "--all").out == "Dropped letters: 1\n"
    assert [letter.id for letter in letters(engine)] == parked[:3]


def test_drop_deletes_letters(dead: Dead, parked: list[int], engine: Engine) -> None:
    assert dead("drop", str(parked[0]), str(parked[3])).out == "Dropped letters: 2\n"
    assert states(engine) == [("S", 2, "waiting"), ("T", 1, "dead")]


@pytest.mark.parametrize("subcommand", ["show", "retry", "drop"])
def test_an_unknown_letter_is_trouble(subcommand: str, dead: Dead, parked: list[int], engine: Engine) -> None:
    words = [str(parked[0])] if subcommand != "show" else []
    result = dead(subcommand, *words, "999")
    assert result == (1, "", "Error: There is no letter 999. Perhaps it was handled. Run allocation dead list\n")
    assert len(letters(engine)) == 4, "a part of the letters was dropped"


@pytest.mark.parametrize(
    "words", [["retry"], ["drop"], ["drop", "1", "--all"], ["retry", "1", "--subscription", "views"], ["show", "0"]]
)
def test_wrong_words_are_a_usage_error(words: list[str], dead: Dead) -> None:
    assert dead(*words).code == 2


def test_an_unavailable_database_takes_one_line(dead: Dead, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@127.0.0.1:1/x")
    code, out, error = dead("list")
    assert (code, out, error.count("\n")) == (3, "", 1)
