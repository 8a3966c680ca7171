"""A consistency token says which registers a query must show, and a query never shows less."""

from base64 import urlsafe_b64encode

import pytest

from readmodel.store.reads import consistency
from readmodel.store.reads.consistency import (
    LONGEST,
    MOST_REGISTERS,
    BadToken,
    ConsistencyToken,
    NotYet,
    OtherHistory,
    WrittenRegister,
    token_text,
)

IDENTITY = "0123abcd-0000-4000-8000-000000000000"
REGISTERS = [
    WrittenRegister("{01}:order:o1", "S", 7),
    WrittenRegister("{01}:order:o1", "T", 3),
    WrittenRegister("{02}:product:S", "totals", 7),
]
MANY = [WrittenRegister("{01}:order:o1", f"S{n}", 1) for n in range(MOST_REGISTERS + 1)]
Registers = list[WrittenRegister] | None
SHOWN = {"S": "7 {}", "T": "4 {}", "U": "1 {}"}


def token(registers: Registers = REGISTERS, *, epoch: int = 2, position: int = 100) -> ConsistencyToken:
    return ConsistencyToken.parse(token_text(IDENTITY, epoch, position, registers))


def test_token_survives_its_text() -> None:
    found = token()
    assert found[:4] == ("0123abcd", 2, 100, True)
    assert sorted(len(fields) for fields in found.registers.values()) == [1, 2]


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        (SHOWN, True),
        (SHOWN | {"S": "6 {}"}, False),
        ({"S": "7 {}"}, False),
        ({}, False),
        (SHOWN | {"T": "no number"}, False),
    ],
    ids=["new", "old", "one-is-missing", "all-are-missing", "damaged"],
)
def test_hash_must_show_every_register(fields: dict[str, str], shown: bool) -> None:
    assert token().is_shown_by("{01}:order:o1", fields, cursor=99) is shown


def test_hash_without_a_register_is_shown() -> None:
    """The command has not changed it."""
    assert token().is_shown_by("{01}:order:o2", {}, cursor=0)


@pytest.mark.parametrize(("cursor", "shown"), [(99, False), (100, True), (101, True)])
def test_bucket_with_a_later_cursor_shows_the_write(cursor: int, shown: bool) -> None:
    assert token().is_shown_by("{01}:order:o1", {}, cursor) is shown


@pytest.mark.parametrize("many", [None, MANY])
def test_token_without_registers_waits_for_the_cursor(many: Registers) -> None:
    found = token(many)
    assert not found.has_registers
    assert not found.is_shown_by("{02}:order:other", {}, cursor=99)
    assert found.is_shown_by("{02}:order:other", {}, cursor=100)
    assert len(token_text(IDENTITY, 1, 1, many)) < 50


def test_largest_token_is_not_too_long() -> None:
    text = token_text(IDENTITY, 2**63, 2**63, [WrittenRegister("k", str(n), 2**63) for n in range(16)])
    assert len(text) <= LONGEST
    assert ConsistencyToken.parse(text).has_registers


def test_registers_with_one_checksum_wait_for_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token can't name both."""
    monkeypatch.setattr(consistency, "checksum", lambda text: 1)
    assert not token(REGISTERS).has_registers


def test_fields_with_one_checksum_count_as_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consistency, "checksum", lambda text: 1)
    found = token([WrittenRegister("{01}:order:o1", "S", 7)])
    assert not found.is_shown_by("{01}:order:o1", {"S": "6 {}", "T": "9 {}"}, cursor=0)
    assert found.is_shown_by("{01}:order:o1", {"S": "7 {}", "T": "9 {}"}, cursor=0)


def test_views_of_an_earlier_history_are_not_ready_yet() -> None:
    """The relay rebuilds them soon."""
    with pytest.raises(NotYet):
        token(epoch=2).require_history("ffffffff-…", epoch=1)


@pytest.mark.parametrize(("identity", "epoch"), [("ffffffff-…", 2), ("ffffffff-…", 3), (IDENTITY, 3)])
def test_views_of_another_history_will_never_show_the_write(identity: str, epoch: int) -> None:
    with pytest.raises(OtherHistory):
        token(epoch=2).require_history(identity, epoch)


def test_views_of_the_same_history_may_show_the_write() -> None:
    token(epoch=2).require_history(IDENTITY, epoch=2)


VALID = token_text(IDENTITY, 2, 100, REGISTERS)


OTHER_VERSION = urlsafe_b64encode(b"\x02" + bytes(25)).decode().rstrip("=")
CHANGED = [VALID[:-1], VALID[:-4], VALID + "A", VALID + "AAAA", f" {VALID}", VALID[:9] + "\n" + VALID[9:]]


@pytest.mark.parametrize("text", ["", "x", "ä", OTHER_VERSION, "A" * 20_000, *CHANGED])
def test_other_text_is_no_token(text: str) -> None:
    with pytest.raises(BadToken):
        ConsistencyToken.parse(text)
