"""Commands are parsed from JSON and from rows of text. An error names each bad member."""

from datetime import date
from typing import Any

import orjson
import pytest

from allocation.adapters.schemas.commands import COMMANDS
from allocation.adapters.schemas.errors import InvalidInput
from allocation.domain.commands import Allocate, ChangeBatchQuantity, CreateBatch

BATCH = {"ref": "b1", "sku": "S", "qty": 10, "eta": None}
MISSING = object()

WHOLE = "must be a whole number from 1 to 2147483647, not {}"
TEXT = "must be a string of 1 to 255 characters, not {}"
DATE = "must be a date as YYYY-MM-DD, or null, not {}"


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("qty", MISSING, "is missing"),
        ("qty", None, WHOLE.format("None")),
        ("qty", "10", WHOLE.format("'10'")),
        ("qty", 1.6, WHOLE.format("1.6")),
        ("qty", True, WHOLE.format("True")),
        ("qty", 0, WHOLE.format("0")),
        ("qty", -5, WHOLE.format("-5")),
        ("qty", 2_147_483_648, WHOLE.format("2147483648")),
        ("ref", MISSING, "is missing"),
        ("ref", None, TEXT.format("None")),
        ("ref", 17, TEXT.format("17")),
        ("ref", {"a": 1}, TEXT.format("{'a': 1}")),
        ("ref", "", TEXT.format("''")),
        ("ref", "x" * 256, TEXT.format("'" + "x" * 79 + "…")),
        ("sku", "a\0b", "must not contain a NUL character"),
        ("sku", None, TEXT.format("None")),
        ("eta", "tomorrow", DATE.format("'tomorrow'")),
        ("eta", "2027-02-30", DATE.format("'2027-02-30'")),
        ("eta", "2027-01-15T00:00:00", DATE.format("'2027-01-15T00:00:00'")),
        ("eta", "20270115", DATE.format("'20270115'")),
        ("eta", 1_800_000_000, DATE.format("1800000000")),
        ("eta", "", DATE.format("''")),
    ],
)
def test_error_names_the_bad_member_and_its_value(member: str, value: Any, message: str) -> None:
    """Without this error, the service would store a wrong quantity, or PostgreSQL would raise an error: a 500."""
    body = BATCH | {member: value}
    if value is MISSING:
        del body[member]
    with pytest.raises(InvalidInput) as caught:
        COMMANDS["add_batch"].from_json(orjson.dumps(body))
    assert caught.value.errors == [{"member": member, "message": message}]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[]", b"null", b'"text"', b"1e999", b"[" * 100_000],
    ids=["empty", "cut off", "not UTF-8", "array", "null", "string", "number out of range", "deep nesting"],
)
def test_error_reports_a_body_that_is_no_json_object(body: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"^body .*(JSON|object)"):
        COMMANDS["allocate"].from_json(body)


def test_error_names_every_bad_member() -> None:
    with pytest.raises(InvalidInput) as caught:
        COMMANDS["allocate"].from_json(b'{"sku": 1, "qty": 0}')
    assert [error["member"] for error in caught.value.errors] == ["orderid", "sku", "qty"]


def test_unknown_members_are_ignored_and_eta_is_optional() -> None:
    command = COMMANDS["add_batch"].from_json(b'{"ref": "b1", "sku": "S", "qty": 1, "colour": "red"}')
    assert command == CreateBatch("b1", "S", 1, None)


@pytest.mark.parametrize("name", ["a b", "a/b", "{17}", "a,b", "椅子", "🪑", "'; --", "%2F", "\\", "x" * 255])
def test_identifiers_are_opaque(name: str) -> None:
    body = orjson.dumps({"orderid": name, "sku": name, "qty": 1})
    assert COMMANDS["allocate"].from_json(body) == Allocate(name, name, 1)


def test_batch_may_shrink_to_zero_under_either_name() -> None:
    """The member may be `ref` or `batchref`, the name of the book."""
    assert COMMANDS["change_batch_quantity"].from_json(b'{"ref": "b1", "qty": 0}') == ChangeBatchQuantity("b1", 0)
    assert COMMANDS["change_batch_quantity"].from_json(b'{"batchref": "b1", "qty": 5}') == ChangeBatchQuantity("b1", 5)


@pytest.mark.parametrize(
    ("name", "body", "errors"),
    [
        (
            "change_batch_quantity",
            b'{"batchref": 1, "qty": -1}',
            ["batchref must be a string", "qty must be a whole number from 0 to 2147483647, not -1"],
        ),
        ("change_batch_quantity", b"{}", ["ref is missing", "qty is missing"]),
        ("change_batch_eta", b'{"ref": "b1"}', ["eta is missing"]),
        ("deallocate", b'{"orderid": ""}', ["orderid must be a string", "sku is missing"]),
    ],
)
def test_errors_of_other_commands_name_their_members(name: str, body: bytes, errors: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        COMMANDS[name].from_json(body)
    for found, expected in zip(str(caught.value).split("; "), errors, strict=True):
        assert found.startswith(expected)


def test_rows_of_text_are_parsed() -> None:
    row = {"ref": "b1", "sku": "S", "qty": "10", "eta": "2027-01-15"}
    assert COMMANDS["add_batch"].from_row(row) == CreateBatch("b1", "S", 10, date(2027, 1, 15))
    assert COMMANDS["add_batch"].from_row(row | {"eta": ""}) == CreateBatch("b1", "S", 10, None)


@pytest.mark.parametrize("qty", ["", "ten", "1.5", "-1", "0", "99999999999999999999", "١٠"])
def test_row_with_a_bad_quantity_is_refused(qty: str) -> None:
    with pytest.raises(InvalidInput, match="qty"):
        COMMANDS["allocate"].from_row({"orderid": "o1", "sku": "S", "qty": qty})
