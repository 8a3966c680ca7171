"""Idempotency keys and commands in bulk, as a client meets them."""

import json
import random
import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocation.entrypoints.http import bulk
from tests.support.api import Answer, Api
from tests.support.eventually import eventually
from tests.support.processes import running
from tests.support.services import web

PROBLEM = "application/problem+json"
NDJSON = "application/x-ndjson"


def line(orderid: str, sku: str, qty: int = 1, **more: Any) -> dict[str, Any]:
    return {"type": "allocate", "orderid": orderid, "sku": sku, "qty": qty} | more


def test_the_same_key_gets_the_same_answer(shared_api: Api) -> None:
    shared_api.add_batch("k-1", "K", 10)
    body = {"orderid": "k", "sku": "K", "qty": 4}
    assert shared_api.keyed("k1", "allocate", body).status == 202
    assert shared_api.post("deallocate", {"orderid": "k", "sku": "K"}).status == 202
    again = shared_api.keyed("k1", "allocate", dict(reversed(body.items())) | {"further": 1})
    assert (again.status, again.body) == (202, "OK")
    assert shared_api.get("orders", "k").json["lines"][0]["status"] == "deallocated"
    assert shared_api.allocate("k", "K", 4).status == 202, "without the key it is another one"
    assert shared_api.get("orders", "k").json["lines"][0]["status"] == "allocated"


def test_a_refusal_is_the_answer_too(shared_api: Api) -> None:
    body = {"orderid": "kr", "sku": "KR", "qty": 4}
    first = shared_api.keyed("kr1", "allocate", body)
    shared_api.add_batch("kr-1", "KR", 10)
    second = shared_api.keyed("kr1", "allocate", body)
    assert (first.status, first.json) == (second.status, second.json)
    assert first.json["message"] == "Invalid sku KR"
    whole = {"orderid": "kr", "lines": [{"sku": "KR", "qty": 11}], "all_or_nothing": True}
    first = shared_api.keyed("kr1", "allocate_order", whole)
    shared_api.add_batch("kr-2", "KR", 11)
    second = shared_api.keyed("kr1", "allocate_order", whole)
    assert (first.status, first.json) == (second.status, second.json) == (409, first.json)
    assert [one["sku"] for one in second.json["lines"]] == ["KR"]


def test_the_same_key_with_another_body_is_refused(shared_api: Api) -> None:
    shared_api.add_batch("kb-1", "KB", 10)
    assert shared_api.keyed("kb", "allocate", {"orderid": "kb", "sku": "KB", "qty": 4}).status == 202
    other = shared_api.keyed("kb", "allocate", {"orderid": "kb", "sku": "KB", "qty": 5})
    assert (other.status, other.content_type) == (422, PROBLEM)
    assert other.json["message"] == "The idempotency key kb was used for another body"
    elsewhere = shared_api.keyed("kb", "deallocate", {"orderid": "kb", "sku": "KB"})
    assert elsewhere.status == 202, "another route"
    of_another = {"orderid": "kb2", "sku": "KB", "qty": 5}
    assert shared_api.keyed("kb", "allocate", of_another, Authorization="Bearer x").status == 202, "another caller"


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é"])
def test_a_bad_key_is_a_400(shared_api: Api, key: str) -> None:
    answer = shared_api.keyed(key, "allocate", {"orderid": "bk", "sku": "BK", "qty": 4})
    assert (answer.status, answer.content_type) == (400, PROBLEM)
    assert "Idempotency-Key must be 1 to 255 printable characters of ASCII" in answer.json["message"]


def test_a_token_that_can_not_be_read_is_nobody_s(shared_api: Api) -> None:
    body = {"orderid": "bt", "sku": "BT", "qty": 4}
    answer = shared_api.keyed("bt", "allocate", body, Authorization="Bearer é")
    assert (answer.status, answer.json["message"]) == (400, "Authorization must be printable ASCII")


def test_who_comes_while_the_first_is_running_is_told_to_come_again(
    engine: Engine, environment: dict[str, str], relay: None
) -> None:
    body = {"orderid": "o1", "sku": "S", "qty": 1}
    first = "INSERT INTO idempotency_keys VALUES ('- /allocate', 'k1', 'x')"
    with engine.begin() as connection:
        name = connection.execute(text("SELECT quote_ident(current_database())")).scalar_one()
        connection.execute(text(f"ALTER ROLE CURRENT_USER IN DATABASE {name} SET lock_timeout = '100ms'"))
    with engine.connect() as other, web(environment) as port:
        other.execute(text(first))
        api = Api(port)
        answer = api.keyed("k1", "allocate", body)
        assert (answer.status, answer.headers["retry-after"], answer.content_type) == (409, "1", PROBLEM)
        assert answer.json["message"] == "The first request with this idempotency key is still running"
        other.rollback()
        assert api.keyed("k1", "allocate", body).json["message"] == "Invalid sku S"
        api.connection.close()


def test_a_deployed_relay_deletes_keys_when_it_is_told_to(engine: Engine, environment: dict[str, str]) -> None:
    old = "INSERT INTO idempotency_keys VALUES ('s', 'old', 'x', '{}', '[]', now() - interval '100 s')"
    young = "INSERT INTO idempotency_keys VALUES ('s', 'young', 'x', '{}', '[]', now() - interval '10 s')"
    with engine.begin() as connection:
        connection.execute(text(old))
        connection.execute(text(young))
    with running("relay", environment | {"ALLOCATION_KEYS_KEPT": "50"}):
        eventually(lambda: keys_kept(engine) == ["young"])


def keys_kept(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT key FROM idempotency_keys")).scalars())


def test_every_line_has_its_result_in_its_place(shared_api: Api) -> None:
    results = shared_api.bulk(
        {"type": "add_batch", "ref": "bulk-1", "sku": "BULK", "qty": 10},
        line("bulk", "BULK", 4, id="a"),
        line("bulk", "NEVER", id="b"),
        b"not JSON",
        line("bulk", "BULK", 0, id="c"),
        {"type": "explode", "id": "d"},
        {"id": "e"},
        {"type": "ship", "id": 5, "orderid": "bulk", "sku": "BULK"},
        b"",
        {"type": "ship", "orderid": "bulk", "sku": "BULK"},
        {"type": "deallocate", "orderid": "bulk", "sku": "BULK"},
        {"type": "allocate_order", "orderid": "bulk-2", "lines": [{"sku": "BULK", "qty": 2}], "id": "f"},
        line("bulk", "BULK", 5, id="a"),
        b"[" * 2_000,
        b'"' + b"x" * bulk.LONGEST_LINE + b'"',
        line("bulk-3", "BULK", 1),
    )
    told = [(result.get("id"), result["status"], result.get("message", "")) for result in results]
    expected = [
        (None, 201, ""),
        ("a", 202, ""),
        ("b", 400, "Invalid sku NEVER"),
        (None, 400, "body Invalid JSON"),
        ("c", 400, "qty must be a whole number from 1"),
        ("d", 400, "type must be one of add_batch, change_batch_quantity"),
        ("e", 400, "type is missing"),
        (None, 400, "id must be a string"),
        (None, 400, "body Invalid JSON"),
        (None, 202, ""),
        (None, 409, "Order bulk's line of BULK has been shipped"),
        ("f", 202, ""),
        ("a", 422, "The idempotency key a was used for another body"),
        (None, 400, "body"),
        (None, 400, "body must have at most 1000000 bytes"),
        (None, 202, ""),
    ]
    assert len(told) == len(expected)
    for (key, status, message), (expected_key, expected_status, beginning) in zip(told, expected, strict=True):
        assert (key, status) == (expected_key, expected_status), message
        assert message.startswith(beginning)
    assert results[11]["lines"] == [{"sku": "BULK", "qty": 2, "status": "allocated", "batchref": "bulk-1", "eta": None}]
    assert shared_api.allocations("bulk-3").json == [{"sku": "BULK", "batchref": "bulk-1"}]


def test_thousands_of_lines_of_which_some_are_bad(shared_api: Api) -> None:
    rng, lines, expected = random.Random(1), list[Any](), list[tuple[str | None, int]]()
    shared_api.add_batch("many-1", "MANY", 1_000_000)
    for n in range(4_000):
        bad = rng.random() < 0.01
        lines.append(rng.choice([b"{", line(f"many-{n}", "NEVER")]) if bad else line(f"many-{n}", "MANY", id=f"m{n}"))
        expected.append((None, 400) if bad else (f"m{n}", 202))
    for _ in range(2):
        assert [(result.get("id"), result["status"]) for result in shared_api.bulk(*lines)] == expected
    good = sum(status == 202 for _, status in expected)
    assert shared_api.get("batches", "many-1").json["allocated"] == good < 4_000


def test_what_is_not_a_list_of_commands(shared_api: Api) -> None:
    assert shared_api.bulk() == []
    assert shared_api.post("commands", b"{}").status == 415
    keyed = shared_api.post("commands", b"{}", NDJSON, **{"Idempotency-Key": "k"})
    assert (keyed.status, keyed.json["message"]) == (
        400,
        "Idempotency-Key is for a single command. Add an id to each line instead",
    )


@pytest.mark.parametrize("length_is_told", [True, False])
def test_a_body_that_is_too_large_is_refused_with_nothing_done(shared_api: Api, length_is_told: bool) -> None:
    shared_api.add_batch("tl-1", "TL", 10)
    answer = shared_api.post("commands", b"".join(too_large()) if length_is_told else too_large(), NDJSON)
    assert (answer.status, answer.content_type) == (413, PROBLEM)
    assert answer.json["message"] == "The body has more than 100000000 bytes. Nothing was done. Send it in parts"
    assert shared_api.get("orders", "tl").status == 404


def test_of_a_body_whose_client_is_lost_nothing_is_done(shared_api: Api, shared_port: int) -> None:
    """What came of it is whole lines, but the client can't know which, and has sent more than these."""
    shared_api.add_batch("lost-1", "LOST", 10)
    lines = b"".join(json.dumps(line(f"lost-{n}", "LOST")).encode() + b"\n" for n in range(2))
    other = Api(shared_port)
    other.connection.putrequest("POST", "/commands")
    other.connection.putheader("Content-Type", NDJSON)
    other.connection.putheader("Content-Length", str(len(lines) + 1))
    other.connection.endheaders(lines)
    assert other.connection.sock is not None
    other.connection.sock.shutdown(socket.SHUT_WR)
    answer = other.connection.getresponse()
    assert (answer.status, json.loads(answer.read())["message"]) == (
        400,
        f"The body ended after {len(lines)} of {len(lines) + 1} bytes. Nothing was done",
    )
    other.connection.close()
    assert shared_api.get("batches", "lost-1").json["allocated"] == 0


def too_large() -> Iterator[bytes]:
    yield b'{"type": "allocate", "orderid": "tl", "sku": "TL", "qty": 1}\n'
    yield from [b" " * 1_000_000] * (bulk.LARGEST_BODY // 1_000_000 + 60)


def test_bulks_leave_threads_for_others(environment: dict[str, str], relay: None) -> None:
    with web(environment | {"ALLOCATION_THREADS": "2"}) as port:
        slow, other = Api(port), Api(port)
        begin_a_bulk(slow)
        refused = eventually(lambda: refused_beside(slow, other))
        assert refused is not None
        assert (refused.headers["retry-after"], refused.content_type) == ("1", PROBLEM)
        assert refused.json["message"] == "The server is handling too many bulks. Nothing was done"
        assert other.add_batch("b1", "S", 10).status == 201
        slow.connection.send(b"\n")
        response = slow.connection.getresponse()
        assert (response.status, json.loads(response.read())["message"]) == (200, "type is missing")
        eventually(lambda: not refused_bulk(other))
        slow.connection.close()
        other.connection.close()


def begin_a_bulk(api: Api) -> None:
    """Two of its three bytes."""
    api.connection.putrequest("POST", "/commands")
    api.connection.putheader("Content-Type", NDJSON)
    api.connection.putheader("Content-Length", "3")
    api.connection.endheaders(b"{}")


def refused_beside(slow: Api, other: Api) -> Answer | None:
    """The slow one begins again where it was itself refused: the other one had the place just then."""
    if select.select([slow.connection.sock], [], [], 0)[0]:
        slow.connection.close()
        begin_a_bulk(slow)
    return refused_bulk(other)


def refused_bulk(api: Api) -> Answer | None:
    answer = api.post("commands", b"", NDJSON)
    return answer if answer.status == 503 else None
