"""How commands end if a store, the schema, a file or a setting prevents them."""

from pathlib import Path

import pytest

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.local.postgres import Postgres
from readmodel.store.store import Store
from tests.support.adapters.redis_users import QUERIES, url_for
from tests.support.entrypoints.in_process import InProcess
from tests.support.paths import SAMPLE

NO_DATABASE, NO_REDIS = "postgresql://u:secret@127.0.0.1:1/x", "redis://:secret@127.0.0.1:1/0"
ORDERS = ("--orders", str(SAMPLE / "orders.csv"))
LOAD = ("load", "--batches", str(SAMPLE / "batches.csv"), *ORDERS)


def line_of(cli: InProcess, *words: str, **variables: str) -> str:
    """Run a command that can't run. Return its only line."""
    ended = cli.run(*words, **variables)
    assert (ended.code, ended.out) == (3, ""), ended
    [line] = ended.err.splitlines()
    assert "secret" not in line
    return line.removeprefix("Error: ")


@pytest.mark.parametrize("words", [("audit",), ("migrate",), ("rebuild",), LOAD], ids=lambda words: words[0])
def test_an_unreachable_database_is_named(cli: InProcess, words: tuple[str, ...]) -> None:
    line = line_of(cli, *words, DATABASE_URL=NO_DATABASE)
    assert line.startswith('connection to server at "127.0.0.1", port 1 failed: Connection refused')
    assert line.endswith("Start PostgreSQL, or correct DATABASE_URL")


def test_a_wrong_password_and_database_are_named(cli: InProcess, postgres: Postgres) -> None:
    nowhere = postgres.url_of("nowhere")
    line = line_of(cli, "audit", DATABASE_URL=nowhere)
    assert line.endswith('database "nowhere" does not exist. Start PostgreSQL, or correct DATABASE_URL')
    line = line_of(cli, "audit", DATABASE_URL=nowhere.replace("postgres:", "postgres:x", 1))
    assert "password authentication failed" in line
    assert line.endswith(". Start PostgreSQL, or correct DATABASE_URL")


@pytest.mark.parametrize("words", [("audit",), ("rebuild",), ("adopt",), LOAD], ids=lambda words: words[0])
def test_a_database_that_is_not_migrated_is_named(cli: InProcess, words: tuple[str, ...], postgres: Postgres) -> None:
    line = line_of(cli, *words, DATABASE_URL=postgres.url_of("postgres"))
    assert line.startswith("the database is not migrated")
    assert line.endswith(". Run allocation migrate")


@pytest.mark.parametrize("word", ["rebuild", "adopt", "digest"])
def test_an_unreachable_redis_is_named(cli: InProcess, word: str) -> None:
    line = line_of(cli, word, REDIS_URL=NO_REDIS)
    assert line.startswith("Redis can't be reached: ")
    assert line.endswith("Start Redis, or correct REDIS_URL")


def test_a_user_of_redis_who_may_only_read_is_named(cli: InProcess, shop: Store, redis_url: str) -> None:
    line = line_of(cli, "rebuild", REDIS_URL=url_for(QUERIES, redis_url))
    assert line.startswith("Redis refuses access: ")
    assert line.endswith("Correct the user in REDIS_URL")


@pytest.mark.parametrize("words", [("verify",), ("repair",), ("digest",)], ids=lambda words: words[0])
def test_a_command_that_needs_views_says_how_to_build_them(cli: InProcess, words: tuple[str, ...]) -> None:
    assert line_of(cli, *words).endswith("Start a relay, which builds the views, or run allocation rebuild")


def test_verify_does_not_take_an_unknown_name_for_trouble(cli: InProcess, shop: Store) -> None:
    for option in ("--sku", "--order"):
        assert line_of(cli, "verify", option, "never").startswith("The database has no such product or order")


def test_a_rebuild_that_runs_already_is_named(cli: InProcess, shop: Store, log: EventLog) -> None:
    with log.rebuild_lock() as mine:
        assert mine
        assert line_of(cli, "rebuild") == "Another rebuild is running. Wait until it has ended"


@pytest.mark.parametrize("content", [None, "ref,sku\n"], ids=["missing", "without-a-column"])
def test_a_file_that_can_not_be_read_is_named(cli: InProcess, content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "batches.csv"
    if content is not None:
        path.write_text(content)
    line = line_of(cli, "load", "--batches", str(path), *ORDERS)
    assert line.startswith(str(path))
    assert line.endswith("Correct the file, or give another path")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("ALLOCATION_PORT", "many", "ALLOCATION_PORT=many: Input should be a valid integer"),
        ("DATABASE_URL", "mysql://u:secret@x", "DATABASE_URL: must begin with postgresql://. Correct the variable"),
    ],
)
def test_a_bad_setting_is_named(cli: InProcess, name: str, value: str, shown: str) -> None:
    line = line_of(cli, "audit", **{name: value})
    assert line.startswith(shown)
    assert line.endswith("Correct the variable, or unset it")
