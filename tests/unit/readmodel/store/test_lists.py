"""Lists sort their entries by bytes, and pages follow each other without gaps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readmodel.store.errors import ModelDamaged
from readmodel.store.lists import (
    BadNext,
    ListEntry,
    PageRequest,
    ascending,
    decoded,
    descending,
    encoded,
    list_key,
    member,
    page_of,
    parse_entry,
    range_of,
)
from readmodel.store.registers import LARGEST, encode, orders_in, version_in

KEY = list_key("products", "{07}")
NUMBERS = st.integers(0, LARGEST)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(NUMBERS, NUMBERS)
def test_orders_sort_as_their_numbers(one: int, other: int) -> None:
    assert (ascending(one) < ascending(other)) == (one < other)
    assert (descending(one) < descending(other)) == (one > other)


@given(st.sets(NAMES, min_size=1, max_size=30), st.integers(1, 7), st.integers(1, 5))
def test_pages_have_each_entry_once(names: set[str], limit: int, buckets: int) -> None:
    """The test reads the ranges as Redis does: by bytes, from the start of a range."""
    members = sorted(member("0", name, "1:0 {}").encode() for name in names)
    found, after = list[str](), None
    while True:
        wanted = PageRequest(limit, after)
        start = range_of(KEY, wanted).start
        parts = [
            [one.decode() for one in members[number::buckets] if start == b"-" or one > start[1:]][: limit + 1]
            for number in range(buckets)
        ]
        page = page_of(KEY, parts, wanted)
        assert len(page.entries) <= limit
        found += [entry.name for entry in page.entries]
        after = page.next
        if after is None:
            break
    assert found == sorted(names)


@pytest.mark.parametrize("text", ["", "x", "ä", "AA", "====", "MA", "A" * 4_000])
def test_another_text_is_no_next(text: str) -> None:
    with pytest.raises(BadNext):
        decoded(text, KEY)


@pytest.mark.parametrize("stored", ["", "x", "x\0y"])
def test_a_member_without_its_parts_is_damage(stored: str) -> None:
    with pytest.raises(ModelDamaged):
        parse_entry(stored)


def test_a_next_belongs_to_its_list() -> None:
    last = ListEntry("0", "S", "1:0 {}")
    text = encoded(last, KEY)
    assert decoded(text, list_key("products", "{31}")) == b"0\0S\0", "the list is divided among all buckets"
    for other in (list_key("short", "{07}"), list_key("waiting", "{07}", "S")):
        with pytest.raises(BadNext, match=text):
            decoded(text, other)


def test_a_value_names_its_orders() -> None:
    assert encode(7, [1], "0", "") == b"7:0: [1]"
    assert encode(7, [1], "", "") == encode(7, [1]) == b"7 [1]"
    assert (orders_in("7:0: [1]"), version_in("7:0: [1]")) == (["0", ""], 7)
    assert (orders_in("7 [1]"), version_in("7 [1]")) == ([], 7)


def test_a_value_may_contain_nul() -> None:
    assert parse_entry("m1\0S\0a7\0[]") == ListEntry("m1", "S", "a7\0[]")
