"""A body with a repeated member is refused, wherever the member is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.adapters.schemas.commands import SEARCHED, require_unique_members
from allocation.adapters.schemas.errors import InvalidInput

TEXTS = st.text(alphabet='a"\\:{},[]é\n\u2028', max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_unique_members_pass(value: Any, ascii_only: bool) -> None:
    require_unique_members(json.dumps({"value": value}, ensure_ascii=ascii_only).encode())


@given(TEXTS, VALUES, VALUES, st.booleans())
def test_repeated_member_is_refused_at_any_depth(name: str, first: Any, second: Any, ascii_only: bool) -> None:
    key = json.dumps(name, ensure_ascii=ascii_only)
    body = f'[{{"before": {json.dumps(first)}, {key}: 1, "x:": {json.dumps(second)}, {json.dumps(name)}: 2}}]'
    with pytest.raises(InvalidInput, match="occurs more than once"):
        require_unique_members(body.encode())


def test_large_body_with_a_repeated_member_is_refused_without_its_name() -> None:
    """The search for the name would hold up the event loop."""
    body = b'{"a": 1, "a": 2, "b": "%b"}' % (b"x" * SEARCHED)
    with pytest.raises(InvalidInput, match="body must have each member once"):
        require_unique_members(body)


@pytest.mark.parametrize("number", ["1e999", "9" * 400, "NaN"])
def test_number_that_only_some_parsers_accept_is_no_repeated_member(number: str) -> None:
    require_unique_members(f'{{"a": {number}}}'.encode())
