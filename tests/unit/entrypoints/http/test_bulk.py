"""Each line of a bulk succeeds or fails alone."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from allocation.domain.changes import UNKNOWN
from allocation.domain.commands import CreateBatch
from allocation.entrypoints.http import bodies, bulk
from allocation.entrypoints.http.database_outage import DatabaseOutage
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Written
from allocation.service_layer.unit_of_work import LockSet, StoreUnavailable
from tests.support.service_layer.fakes import FakeStore, FakeUnitOfWork

CALLER = bulk.Caller("/commands", UNKNOWN)


def create_token(written: Written) -> str:
    return "token"


def allocate(orderid: str, qty: int = 1) -> dict[str, Any]:
    return {"type": "allocate", "orderid": orderid, "sku": "S", "qty": qty}


class BulkClient:
    """Sends bulks to a store with 1,000 units of S. `failures` maps order ids to the errors of their transactions."""

    def __init__(self, **failures: Exception) -> None:
        self.store = FakeStore()
        MessageBus(self.store.begin, lambda events: None).handle(CreateBatch("b1", "S", 1_000))
        self._failures = failures

    @contextmanager
    def begin(self, locks: LockSet) -> Iterator[FakeUnitOfWork]:
        for orderid, _ in locks.lines:
            if orderid in self._failures:
                raise self._failures[orderid]
        with self.store.begin(locks) as uow:
            yield uow

    def send(self, *lines: dict[str, Any]) -> list[dict[str, Any]]:
        body = io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        bus = MessageBus(self.begin, lambda events: None)
        parts = bulk.bulk_results(bodies.read_lines(body), bus, CALLER, create_token, DatabaseOutage())
        return [json.loads(line) for line in b"".join(parts).splitlines()]


def test_bulk_executes_the_parts_after_a_store_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "LINES_AT_ONCE", 2)
    client = BulkClient(o2=StoreUnavailable("unreachable"))
    results = client.send(*(allocate(f"o{n}") for n in range(6)))
    assert [result["status"] for result in results] == [202, 202, 503, 503, 202, 202]
    assert "You can send it again" in results[2]["message"]
    assert {orderid for orderid, _ in client.store.lines} == {"o0", "o1", "o4", "o5"}


def test_bug_fails_only_its_own_line() -> None:
    results = BulkClient(o1=ZeroDivisionError()).send(*(allocate(f"o{n}") for n in range(3)))
    assert [result["status"] for result in results] == [202, 500, 202]
    assert results[1] == {"status": 500, "message": "The service failed. Its log has the reason."}


def test_bulk_yields_results_before_it_executes_all_lines() -> None:
    client = BulkClient()
    bus = MessageBus(client.begin, lambda events: None)
    body = io.BytesIO(b"".join(json.dumps(allocate(f"o{n}")).encode() + b"\n" for n in range(2 * bulk.LINES_AT_ONCE)))
    first = next(bulk.bulk_results(bodies.read_lines(body), bus, CALLER, create_token, DatabaseOutage()))
    assert first == b'{"status":202,"token":"token"}\n' * bulk.LINES_AT_ONCE
    assert len(client.store.lines) == bulk.LINES_AT_ONCE


def test_part_ends_at_its_limit_of_lines_or_bytes() -> None:
    small, large = [b"x"] * (bulk.LINES_AT_ONCE + 1), [b"x" * (bulk.BYTES_AT_ONCE // 2)] * 3
    assert [len(part) for part in bulk.in_parts(iter(small))] == [bulk.LINES_AT_ONCE, 1]
    assert [len(part) for part in bulk.in_parts(iter(large))] == [2, 1]
    assert list(bulk.in_parts(iter(()))) == []


def test_result_names_the_first_twenty_wrong_members() -> None:
    [result] = BulkClient().send({"type": "allocate_order", "orderid": "o1", "lines": [1] * 1_000})
    assert [error["member"] for error in result["errors"]] == [f"lines.{n}" for n in range(20)]
    assert result["message"].endswith("lines.19 must be a JSON object, not 1; and 980 more")


@pytest.mark.parametrize("blank", [b"\n", b" \n", b"\r\n", b" "])
def test_blank_lines_are_no_lines_and_cost_little(blank: bytes) -> None:
    """Reading each blank line alone would occupy a thread of the server for minutes."""
    body = CountedReads(b"first\n" + blank * bodies.LONGEST_LINE + b"\nlast\n" + blank * 1_000)
    assert list(bodies.read_lines(body)) == [b"first", b"last"]
    assert body.reads < 100


class CountedReads(io.BytesIO):
    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        return super().read(size)

    def readline(self, size: int | None = -1) -> bytes:
        self.reads += 1
        return super().readline(size)


@pytest.mark.parametrize("length", [bodies.READ_AT_ONCE - 1, bodies.LONGEST_LINE + 1, 3 * bodies.LONGEST_LINE])
@pytest.mark.parametrize("end", [b"", b"\n", b"\nlast", b"\nlast\n"])
def test_line_of_any_length_is_read_as_one_line(length: int, end: bytes) -> None:
    lines = list(bodies.read_lines(io.BytesIO(b"first\n" + b"x" * length + end)))
    assert [line.strip()[:5] for line in lines] == [b"first", b"xxxxx", *([b"last"] if b"last" in end else [])]
    assert (len(lines[1]) > bodies.LONGEST_LINE) == (length > bodies.LONGEST_LINE)


def test_results_have_the_tokens_of_their_commands() -> None:
    """A refused line has none."""
    results = BulkClient().send(allocate("o1"), allocate("o1", qty=2), allocate("o2"))
    assert [result.get("token") for result in results] == ["token", None, "token"]
