"""Commands in bulk: one command per line of the body."""

import json
import random
import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from allocation.entrypoints.http import bodies
from tests.support.api import Answer, Api
from tests.support.e2e.media_types import NDJSON, PROBLEM
from tests.support.eventually import eventually
from tests.support.services import web


def allocate(orderid: str, sku: str, qty: int = 1, **more: Any) -> dict[str, Any]:
    return {"type": "allocate", "orderid": orderid, "sku": sku, "qty": qty} | more


def test_a_bulk_has_one_result_per_nonblank_line_in_order(shared_api: Api) -> None:
    results = shared_api.bulk(
        {"type": "add_batch", "ref": "bulk-1", "sku": "BULK", "qty": 10},
        allocate("bulk", "BULK", 4, id="a"),
        allocate("bulk", "NEVER", id="b"),
        b"not JSON",
        allocate("bulk", "BULK", 0, id="c"),
        {"type": "explode", "id": "d"},
        {"id": "e"},
        {"type": "ship", "id": 5, "orderid": "bulk", "sku": "BULK"},
        b" \t",
        {"type": "ship", "orderid": "bulk", "sku": "BULK"},
        {"type": "deallocate", "orderid": "bulk", "sku": "BULK"},
        {"type": "allocate_order", "orderid": "bulk-2", "lines": [{"sku": "BULK", "qty": 2}], "id": "f"},
        allocate("bulk", "BULK", 5, id="a"),
        b"[" * 2_000,
        b'"' + b"x" * bodies.LONGEST_LINE + b'"',
        allocate("bulk-3", "BULK", 1),
    )
    expected = [
        (None, 201, ""),
        ("a", 202, ""),
        ("b", 400, "Invalid sku NEVER"),
        (None, 400, "body must be JSON"),
        ("c", 400, "qty must be a whole number from 1"),
        ("d", 400, "type must be one of add_batch, change_batch_quantity"),
        ("e", 400, "type is missing"),
        (None, 400, "id must be a string"),
        (None, 202, ""),
        (None, 409, "Order bulk's line of BULK has been shipped"),
        ("f", 202, ""),
        ("a", 422, "The idempotency key a was already used with a different body"),
        (None, 400, "body"),
        (None, 400, "body must have at most 1000000 bytes"),
        (None, 202, ""),
    ]
    assert len(results) == len(expected)
    for result, (line_id, status, beginning) in zip(results, expected, strict=True):
        assert (result.get("id"), result["status"]) == (line_id, status), result
        assert result.get("message", "").startswith(beginning)
    assert results[10]["lines"] == [{"sku": "BULK", "qty": 2, "status": "allocated", "batchref": "bulk-1", "eta": None}]
    assert shared_api.allocations("bulk-3").json == [{"sku": "BULK", "batchref": "bulk-1"}]


def test_a_bulk_of_4000_lines_refuses_only_the_bad_ones(shared_api: Api) -> None:
    """The second pass, with the same ids, has the same results and no effect."""
    rng, lines, expected = random.Random(1), list[Any](), list[tuple[str | None, int]]()
    shared_api.add_batch("many-1", "MANY", 1_000_000)
    for n in range(4_000):
        bad = rng.random() < 0.01
        good_line = allocate(f"many-{n}", "MANY", id=f"m{n}")
        lines.append(rng.choice([b"{", allocate(f"many-{n}", "NEVER")]) if bad else good_line)
        expected.append((None, 400) if bad else (f"m{n}", 202))
    for _ in range(2):
        assert [(result.get("id"), result["status"]) for result in shared_api.bulk(*lines)] == expected
    good = sum(status == 202 for _, status in expected)
    assert shared_api.get("batches", "many-1").json["allocated"] == good < 4_000


def test_a_bulk_needs_the_type_ndjson_and_no_key_header(shared_api: Api) -> None:
    assert shared_api.bulk() == []
    assert shared_api.post("commands", b"{}").status == 415
    keyed = shared_api.post("commands", b"{}", NDJSON, **{"Idempotency-Key": "k"})
    assert (keyed.status, keyed.json["message"]) == (
        400,
        "Idempotency-Key is for a single command. Add an id to each line instead",
    )


@pytest.mark.parametrize("with_content_length", [True, False], ids=["Content-Length", "chunks"])
def test_a_bulk_that_is_too_large_has_no_effect(shared_api: Api, with_content_length: bool) -> None:
    shared_api.add_batch("tl-1", "TL", 10)
    body = b"".join(too_large_body()) if with_content_length else too_large_body()
    answer = shared_api.post("commands", body, NDJSON)
    assert (answer.status, answer.content_type) == (413, PROBLEM)
    assert (
        answer.json["message"]
        == "The body has more than 100000000 bytes. No command was executed. Send the body in parts"
    )
    assert shared_api.get("orders", "tl").status == 404


def too_large_body() -> Iterator[bytes]:
    yield json.dumps(allocate("tl", "TL")).encode() + b"\n"
    yield from [b" " * 1_000_000] * (bodies.LARGEST_BULK // 1_000_000 + 60)


def test_a_bulk_has_no_effect_if_its_client_disconnects(shared_api: Api, shared_port: int) -> None:
    """The server has received whole lines only. But the client can't know which lines, and it has sent more."""
    shared_api.add_batch("lost-1", "LOST", 10)
    lines = b"".join(json.dumps(allocate(f"lost-{n}", "LOST")).encode() + b"\n" for n in range(2))
    lost = Api(shared_port)
    lost.connection.putrequest("POST", "/commands")
    lost.connection.putheader("Content-Type", NDJSON)
    lost.connection.putheader("Content-Length", str(len(lines) + 1))
    lost.connection.endheaders(lines)
    assert lost.connection.sock is not None
    lost.connection.sock.shutdown(socket.SHUT_WR)
    response = lost.connection.getresponse()
    assert (response.status, json.loads(response.read())["message"]) == (
        400,
        f"The body is shorter than its Content-Length of {len(lines) + 1} bytes. No command was executed",
    )
    lost.connection.close()
    assert shared_api.get("batches", "lost-1").json["allocated"] == 0


@pytest.mark.slow
def test_bulks_leave_threads_for_other_commands(environment: dict[str, str], relay: None) -> None:
    with web(environment | {"ALLOCATION_THREADS": "2"}) as port:
        slow, other = Api(port), Api(port)
        begin_bulk(slow)
        refusal = eventually(lambda: refusal_beside(slow, other))
        assert refusal is not None
        assert (refusal.headers["retry-after"], refusal.content_type) == ("1", PROBLEM)
        assert refusal.json["message"] == "The server is handling too many bulk requests. Nothing was executed"
        assert other.add_batch("b1", "S", 10).status == 201
        slow.connection.send(b"\n")
        response = slow.connection.getresponse()
        assert (response.status, json.loads(response.read())["message"]) == (200, "type is missing")
        eventually(lambda: not refusal_of_bulk(other))
        slow.connection.close()
        other.connection.close()


def begin_bulk(api: Api) -> None:
    """Send a bulk without its last byte, so that it occupies the only slot."""
    api.connection.putrequest("POST", "/commands")
    api.connection.putheader("Content-Type", NDJSON)
    api.connection.putheader("Content-Length", "3")
    api.connection.endheaders(b"{}")


def refusal_beside(slow: Api, other: Api) -> Answer | None:
    """Return the refusal of another bulk. If that had the slot and the slow bulk was refused, begin the slow one again.

    A slow bulk that has a response before its last byte was refused.
    """
    if select.select([slow.connection.sock], [], [], 0)[0]:
        slow.connection.close()
        begin_bulk(slow)
    return refusal_of_bulk(other)


def refusal_of_bulk(api: Api) -> Answer | None:
    answer = api.post("commands", b"", NDJSON)
    return answer if answer.status == 503 else None
