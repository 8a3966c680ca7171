"""The JSON that commands print for machines. docs/operate.md describes it."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.checks.audit import BREACHES
from allocation.local.running import env_file, locked
from readmodel.store.store import Store
from readmodel.web.edge.access import parse_token
from tests.support.adapters.csv_folder import Folder
from tests.support.entrypoints.in_process import InProcess
from tests.support.paths import SAMPLE
from tests.support.readmodel.damages import LINE


def test_audit_prints_an_object_for_each_invariant(cli: InProcess, shop: Store, engine: Engine) -> None:
    sound = cli.run("audit", "--json")
    assert sound.objects == [{"invariant": invariant, "breaches": 0, "example": None} for invariant in BREACHES]
    with engine.begin() as connection:
        connection.execute(text("UPDATE products SET available = available + 1 WHERE sku = 'S'"))
    unsound = cli.run("audit", "--json")
    breached = "a product's available units equal the available units of its batches"
    assert {"invariant": breached, "breaches": 1, "example": "S"} in unsound.objects
    assert (sound.code, unsound.code) == (0, 1)


def test_verify_and_repair_print_an_object_for_each_difference(cli: InProcess, shop: Store) -> None:
    live = shop.generations().live
    right = shop.redis.hget(f"{live}:{LINE}", "S")
    shop.redis.hset(f"{live}:{LINE}", "S", "1 {}")
    wrong = {"key": LINE, "field": "S", "found": "1 {}", "expected": right}
    found = cli.run("verify", "--order", "o1", "--json")
    assert (found.code, found.objects) == (1, [wrong])
    assert found.err == "Error: Differences: 1. To correct them, run allocation repair\n"
    corrected = cli.run("repair", "--json")
    assert wrong in corrected.objects
    assert (corrected.code, corrected.err) == (0, "")
    assert cli.run("verify", "--json") == (0, "", "")


def test_rebuild_adopt_and_digest_print_an_object(cli: InProcess, shop: Store, engine: Engine) -> None:
    with engine.connect() as connection:
        events = connection.execute(text("SELECT count(*) FROM events")).scalar_one()
    before = cli.run("digest", "--json")
    rebuilt = cli.run("rebuild", "--json")
    assert rebuilt.objects == [{"events": events, "former": {"registers": 0, "complete": True}}]
    assert cli.run("digest", "--json") == before
    assert before.objects == [{"digest": cli.run("digest").out.strip()}]
    assert cli.run("adopt", "--json").objects == [{"epoch": 2}]


def test_check_prints_each_role_with_its_reason(cli: InProcess, shop: Store) -> None:
    one = cli.run("check", "commands", "--json")
    assert (one.code, one.objects) == (0, [{"ready": True, "roles": {"commands": {"ready": True, "reason": None}}}])
    relay = {"ready": False, "reason": "no relay listens on allocation:committed", "corrected_registers": 0}
    every = cli.run("check", "--json")
    [found] = every.objects
    assert (every.code, found["ready"], set(found["roles"])) == (1, False, {"commands", "queries", "relay"})
    assert found["roles"]["relay"] == relay


def test_loads_print_an_object_with_their_counts(cli: InProcess, folder: Folder) -> None:
    files = ("--batches", str(SAMPLE / "batches.csv"), "--orders", str(SAMPLE / "orders.csv"))
    assert cli.run("load", *files, "--json") == (0, '{"rows": 49, "bad_rows": 0}\n', "")
    folder.orders("o1,S,1", "o2,S,many", "o3,S,90")
    ended = cli.run("allocate-from-csv", str(folder.path), "--json")
    assert ended.objects == [{"lines": 3, "allocated": 1, "new": 1, "short": 1, "bad_rows": 1}]
    assert (ended.code, len(ended.err.splitlines())) == (1, 2)


def test_a_new_access_token_is_an_object() -> None:
    ended = InProcess().run("access-token", "new", "--name", "shop", "--scope", "query", "--json")
    [token] = ended.objects
    assert set(token) == {"token", "line"}
    assert token["token"].startswith("allocation_")
    assert parse_token(token["line"]).name == "shop"
    assert (ended.code, ended.err) == (0, "")


def test_env_prints_an_object_with_the_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {"DATABASE_URL": "postgresql://p@127.0.0.1:1/d", "REDIS_URL": "redis://127.0.0.1:1/0"}
    monkeypatch.setenv("ALLOCATION_DATA", str(tmp_path))
    with locked(tmp_path), env_file(tmp_path, urls):
        assert json.loads(InProcess().run("env", "--json").out) == urls
    ended = InProcess().run("env", "--json")
    assert (ended.code, ended.out) == (3, "")
