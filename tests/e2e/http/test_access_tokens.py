"""Access tokens: no caller acts without permission, and no token appears anywhere."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from redis import Redis
from sqlalchemy import Engine, text

from readmodel.web.edge.access import ADMIN, COMMAND, QUERY, SCOPES, AccessToken, new_token
from tests.support.api import Answer, Api
from tests.support.e2e.media_types import PROBLEM
from tests.support.processes import running
from tests.support.services import web

NOW = datetime.now(UTC)
SECRETS, TOKENS = dict[str, str](), list[AccessToken]()
for caller, scopes, expires in [
    ("shop", [COMMAND], None),
    ("board", [QUERY], NOW + timedelta(days=1)),
    ("operator", [ADMIN], None),
    ("former", [*SCOPES], NOW - timedelta(seconds=1)),
    ("shop", [COMMAND, QUERY], None),
]:
    secret, token = new_token(caller, scopes, expires)
    SECRETS["new shop" if caller in SECRETS else caller] = secret
    TOKENS.append(token)
UNAUTHORISED = {
    "no token": {},
    "unknown": {"Authorization": "Bearer allocation_0123456789"},
    "expired": {"Authorization": f"Bearer {SECRETS['former']}"},
    "another kind": {"Authorization": f"Basic {SECRETS['shop']}"},
    "no kind": {"Authorization": SECRETS["shop"]},
    "empty": {"Authorization": "Bearer "},
    "a hash": {"Authorization": f"Bearer {TOKENS[0].digest}"},
    "not ASCII": {"Authorization": "Bearer é"},
}


@pytest.fixture
def protected(environment: dict[str, str], relay: None, tmp_path: Path) -> Iterator[int]:
    """Yield the port of a service with these tokens."""
    file = tmp_path / "tokens"
    file.write_text("# The clients\n\n" + "".join(f"{token}\n" for token in TOKENS))
    with web(environment | {"ALLOCATION_ACCESS_TOKENS_FILE": str(file), "ALLOCATION_HOST": "0.0.0.0"}) as port:
        yield port


@contextmanager
def client(port: int, name: str | None = None) -> Iterator[Api]:
    api = Api(port, SECRETS[name] if name else None)
    yield api
    api.connection.close()


def test_every_bad_token_gets_the_same_answer(protected: int) -> None:
    with client(protected) as api:
        answers = set[tuple[int, str, str, str]]()
        for headers in UNAUTHORISED.values():
            body = json.dumps({"ref": "b1", "sku": "S", "qty": 10}).encode()
            for answer in (
                api.request("POST", "/add_batch", body, "application/json", **headers),
                api.request("GET", "/batches/b1", None, None, **headers),
                api.request("GET", "/nope", None, None, **headers),
            ):
                answers.add((answer.status, answer.content_type, answer.headers["www-authenticate"], answer.body))
    [(status, content_type, challenge, body_text)] = answers
    assert (status, content_type, challenge) == (401, PROBLEM, "Bearer")
    assert "needs a valid access token" in body_text


@pytest.mark.slow
def test_a_repeated_token_gets_a_401(protected: int) -> None:
    """A proxy may have checked the other one."""
    with client(protected) as api:
        api.connection.putrequest("GET", "/products/S")
        for name in ("board", "operator"):
            api.connection.putheader("Authorization", f"Bearer {SECRETS[name]}")
        api.connection.endheaders()
        response = api.connection.getresponse()
        response.read()
        assert response.status == 401


def test_a_scope_allows_only_its_routes(protected: int) -> None:
    def use(name: str) -> list[int]:
        with client(protected, name) as api:
            batch = {"ref": f"b-{name.replace(' ', '-')}", "sku": "S", "qty": 10}
            answers: list[Answer] = [
                api.post("add_batch", batch),
                api.post("preview/add_batch", batch),
                api.post("commands", json.dumps(batch | {"type": "add_batch"}).encode(), "application/x-ndjson"),
                api.get("products", "S"),
                api.get("health", "ready"),
            ]
        return [answer.status for answer in answers]

    assert use("shop") == [201, 200, 200, 403, 200]
    assert use("board") == [403, 403, 403, 200, 200]
    assert use("operator") == [201, 200, 200, 200, 200]
    with client(protected, "board") as api:
        assert api.allocate("o1", "S", 1).json["message"] == "The access token board lacks the scope command"


def test_events_store_the_actor(protected: int, engine: Engine) -> None:
    with client(protected, "shop") as shop, client(protected, "operator") as operator:
        assert shop.add_batch("b1", "S", 10).status == 201
        assert operator.allocate("o1", "S", 1).status == 202
        [result] = shop.bulk({"type": "allocate", "orderid": "o2", "sku": "S", "qty": 1})
        assert result["status"] == 202
    with engine.connect() as connection:
        actors = connection.execute(text("SELECT data ->> 'actor' FROM events ORDER BY position")).scalars().all()
    assert actors == ["shop", "operator", "shop"]


@pytest.mark.slow
def test_a_new_token_of_the_same_name_keeps_the_idempotency_keys(protected: int) -> None:
    with (
        client(protected, "shop") as shop,
        client(protected, "new shop") as new,
        client(protected, "operator") as other,
    ):
        assert shop.add_batch("b1", "S", 10).status == 201
        line = {"orderid": "o1", "sku": "S", "qty": 1}
        assert shop.keyed("k1", "allocate", line).status == 202
        assert new.keyed("k1", "allocate", line).status == 202
        assert new.keyed("k1", "allocate", line | {"qty": 2}).status == 422
        assert other.keyed("k1", "allocate", line | {"orderid": "o2"}).status == 202, "another caller"


@pytest.mark.slow
def test_no_token_appears_anywhere(
    environment: dict[str, str], tmp_path: Path, engine: Engine, redis: Redis, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tokens"
    file.write_text("".join(f"{token}\n" for token in TOKENS))
    variables = environment | {"ALLOCATION_ACCESS_TOKENS_FILE": str(file)}
    shown = list[str]()
    with running("relay", environment), web(variables) as port:
        with client(port, "operator") as api:
            answers = [
                api.add_batch("b1", "S", 10),
                api.keyed("k1", "allocate", {"orderid": "o1", "sku": "S", "qty": 1}),
                api.allocate("o1", "S", 7),
                api.post("allocate", b"{"),
                api.get("orders", "o1"),
            ]
            shown += [f"{answer.headers} {answer.body}" for answer in answers]
        for process in psutil.Process().children(recursive=True):
            shown += [" ".join(process.cmdline()), str(process.environ())]
    with engine.connect() as connection:
        for table in ("events", "idempotency_keys", "order_lines"):
            shown += map(str, connection.execute(text(f"SELECT * FROM {table}")).all())
    shown += [repr(redis.dump(key)) for key in redis.scan_iter()]
    captured = capfd.readouterr()
    everything = "\n".join([*shown, captured.out, captured.err])
    assert "b1" in everything
    for secret in SECRETS.values():
        assert secret.removeprefix("allocation_") not in everything
