"""Lists of access tokens."""

from datetime import UTC, datetime, timedelta

import pytest

from readmodel.web.answers import Problem
from readmodel.web.edge.access import ANY, COMMAND, QUERY, AccessTokens, BadTokens, new_token, parse_tokens
from readmodel.web.edge.request import Request
from tests.support.edge_client import Headers, Response, Scope

NOW = datetime.now(UTC)


def request_with(secret: str) -> Request:
    return Request(Scope("GET", "/", Headers([("authorization", f"Bearer {secret}")])), Response(b""))


def test_a_printed_token_is_read_again() -> None:
    secret, token = new_token("shop", [COMMAND], NOW + timedelta(hours=1))
    tokens = parse_tokens(f"# a comment\n\n  {token}  # the shop\n")
    assert tokens is not None
    assert tokens.caller(request_with(secret), COMMAND) == "shop"
    assert tokens.caller(request_with(secret), ANY) == "shop"
    with pytest.raises(Problem) as refusal:
        tokens.caller(request_with(secret), QUERY)
    assert refusal.value.answer.status == 403


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"])
def test_a_list_without_tokens_is_no_list(text: str) -> None:
    assert parse_tokens(text) is None


def test_a_renewed_line_counts_beside_the_expired_one() -> None:
    secret, token = new_token("shop", [COMMAND], NOW - timedelta(hours=1))
    renewed = token._replace(expires=NOW + timedelta(hours=1))
    for lines in ([token, renewed], [renewed, token]):
        assert AccessTokens(lines).caller(request_with(secret), COMMAND) == "shop"


@pytest.mark.parametrize("name", ["", "my shop", "-", "x" * 65, "a#b", "shop\n"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(BadTokens, match="a name has 1 to 64 letters"):
        new_token(name, [COMMAND], None)
