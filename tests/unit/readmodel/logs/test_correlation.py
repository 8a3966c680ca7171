"""A request has the trace id of its `traceparent`, else its request id, else a new id. Invalid values are ignored."""

import pytest

from readmodel.correlation import correlation_id, is_valid, new_id, trace_id

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

INVALID = [
    "",
    TRACE,
    f"00-{TRACE}-{PARENT}",
    f"00-{TRACE}-{PARENT}-01-more",
    f"00-{TRACE}-{PARENT}-1",
    f"00-{TRACE.upper()}-{PARENT}-01",
    f"00-{TRACE[:-1]}-{PARENT}-01",
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"ff-{TRACE}-{PARENT}-01",
    f"cc-{TRACE}-{PARENT}-01more",
    f" 00-{TRACE}-{PARENT}-01",
    f"00-{TRACE}-{PARENT}-01\n",
]


def test_the_trace_id_precedes_the_request_id() -> None:
    assert correlation_id(f"00-{TRACE}-{PARENT}-01", "mine") == TRACE
    assert correlation_id(None, "mine") == "mine"


def test_a_later_version_of_traceparent_may_have_more_parts() -> None:
    assert trace_id(f"cc-{TRACE}-{PARENT}-01-more") == TRACE
    assert trace_id(f"cc-{TRACE}-{PARENT}-01") == TRACE


@pytest.mark.parametrize("header", INVALID)
def test_an_invalid_traceparent_is_ignored(header: str) -> None:
    assert trace_id(header) is None
    assert correlation_id(header, "mine") == "mine"


@pytest.mark.parametrize("value", ["", "x" * 129, "a b", "a\nb", "é", "a\x7f"])
def test_an_invalid_request_id_is_replaced(value: str) -> None:
    assert not is_valid(value)
    assert correlation_id(None, value) not in {"", value}


@pytest.mark.parametrize("value", ["x", "x" * 128, '!"#~{}[]\\,;'])
def test_a_request_id_may_have_any_visible_ascii_character(value: str) -> None:
    assert correlation_id(None, value) == value


def test_new_ids_differ_and_are_valid_trace_ids() -> None:
    ids = {new_id() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(trace_id(f"00-{one}-{PARENT}-01") == one for one in ids)
